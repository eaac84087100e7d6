"""The database of a run: its tables, its pages, and what was counted in it."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from trackable_tests.faults import traffic
from trackable_tests.faults.traffic import COUNTERS, PERIODS, Counter


def prepare(*, with_log: bool) -> None:
    """Make the tables and the pages; SQLite gets a write-ahead log if asked."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from trackable_tests.testapp.models import Page

    if connection.vendor == "sqlite" and with_log:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
    call_command("migrate", verbosity=0)
    numbers = range(1, traffic.PAGES + 1)
    Page.objects.bulk_create([Page(pk=n, title=f"{n}", slug=f"page-{n}") for n in numbers])
    connection.close()


def counted() -> dict[Counter, Decimal]:
    """Return every counter of every row that is not zero."""
    found = {}
    for data_class, field in COUNTERS:
        for page, amount, *start in _rows(data_class, field):
            period = start[0].strftime(PERIODS[data_class]) if start else ""
            if amount:
                found[Counter(data_class, page, period, field)] = Decimal(str(amount))
    return found


def _rows(data_class: str, field: str) -> Any:
    from django.apps import apps

    model: Any = apps.get_model(data_class)
    parent = "object_id" if model.parent_target() is None else "parent_id"
    period = ["collected_during"] if model.period else []
    return model._base_manager.values_list(parent, field, *period)


def complaints(refused: int) -> list[str]:
    """Return what the database says was not counted, other than what was refused."""
    from django.db.models import Sum

    from trackable.models import LedgerEntry, QuarantinedMessage

    # A broker of files can be killed in the middle of one: no increments are known to be in it,
    # and its batch is sent again.
    quarantined = QuarantinedMessage.objects.exclude(increments=0)
    found = [f"quarantined: {message}" for message in quarantined[:10]]
    sums = LedgerEntry.objects.aggregate(dropped=Sum("dropped"), damaged=Sum("damaged"))
    if (sums["dropped"] or 0) > refused:
        found.append(f"{sums['dropped']} dropped, but only {refused} refused")
    if sums["damaged"]:
        found.append(f"{sums['damaged']} lines damaged")
    return found


def repairs(journal: Path) -> dict[str, int]:
    """Return, roughly, what trackable did so that nothing is lost or counted twice."""
    from trackable.journal import tally

    done = tally.read(journal)
    return {"segments sent again": done["resent"], "duplicates known": done["duplicates"]}


def close() -> None:
    from django.db import connection

    connection.close()


def use(configuration: str) -> None:
    """Make this process use the settings of the run."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "trackable_tests.faults.settings"
    os.environ["TRACKABLE_FAULTS"] = configuration
