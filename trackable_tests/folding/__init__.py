"""Tests of the fold, which mirror its files."""
