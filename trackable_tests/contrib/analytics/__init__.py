"""The tests of the analytics."""
