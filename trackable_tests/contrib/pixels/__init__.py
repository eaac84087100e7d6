"""The tests of the pixels."""
