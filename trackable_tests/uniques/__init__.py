"""Tests of the distinct counts."""
