"""The tests of the affiliations."""
