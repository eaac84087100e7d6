"""The admin pages: of beacons, and of the entities and addresses that they came from."""

from trackable.contrib.beacons.admin.beacons import BeaconAdmin
from trackable.contrib.beacons.admin.visitors import IPAdmin, IPEntityAdmin

__all__ = ["BeaconAdmin", "IPAdmin", "IPEntityAdmin"]
