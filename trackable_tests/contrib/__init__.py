"""The tests of the apps under ``trackable.contrib``."""
