"""The tests of trackable, which mirror its files, with their settings, models and services."""
