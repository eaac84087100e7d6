"""Beacons: where visitors came from, and where they went."""
