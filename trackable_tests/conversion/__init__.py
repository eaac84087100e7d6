"""Tests of ``trackable.conversion``."""
