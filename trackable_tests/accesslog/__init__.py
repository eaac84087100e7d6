"""Tests of ``trackable.accesslog``."""
