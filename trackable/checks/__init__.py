"""System checks: what can be known to be wrong before the first request, with numbered ids."""

from __future__ import annotations

from django.core import checks

from trackable.checks.data_classes import check_data_class
from trackable.checks.databases import check_databases, check_precision, check_routing
from trackable.checks.journal import check_journal
from trackable.checks.registry import check_registry
from trackable.checks.settings import check_settings

__all__ = [
    "check_data_class",
    "check_databases",
    "check_journal",
    "check_precision",
    "check_registry",
    "check_routing",
    "check_settings",
    "register",
]

TAG = "trackable"


def register() -> None:
    """Have Django run the checks; those of data classes run with their models'."""
    for check in (check_settings, check_journal, check_registry, check_routing, check_precision):
        checks.register(check, TAG)
    checks.register(check_databases, checks.Tags.database)
