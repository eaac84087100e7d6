"""Tests of the import from django-hitcount."""
