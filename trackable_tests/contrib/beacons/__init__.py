"""The tests of the beacons."""
