"""Routing: a check that what one fold writes is in one database."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import router


def check_routing() -> Iterator[CheckMessage]:
    """Find routers that send entities elsewhere than their addresses, or than beacons."""
    from trackable.contrib.beacons.models import IP, Beacon, IPEntity

    beacons, entities, ips = map(router.db_for_write, (Beacon, IPEntity, IP))
    if entities != ips:
        yield Error(
            f"Its rows go to the database '{entities}', and those of its addresses to '{ips}'.",
            hint="Let the database routers send IP and IPEntity to the same database.",
            obj=IPEntity,
            id="trackable_beacons.E101",
        )
    if entities != beacons:
        yield CheckWarning(
            f"Its rows go to the database '{entities}', and beacons to '{beacons}': a fold that"
            " fails halfway leaves entities behind that nothing refers to.",
            hint="Let the database routers send Beacon, IP and IPEntity to the same database.",
            obj=IPEntity,
            id="trackable_beacons.W101",
        )
