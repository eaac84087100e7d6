"""The demo's database: set up, folded into, and read back. Needs Django to be set up."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Final

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db.models import Sum

from trackable.models import LedgerEntry, QuarantinedMessage
from trackable_tests.demo.models import Download, DownloadData, Link, LinkData, PageData
from trackable_tests.demo.runner.tally import Key

ADMIN: Final = "admin"


def set_up() -> str:
    """Make the tables and an admin user, and return that user's password."""
    call_command("migrate", verbosity=0)
    password = secrets.token_hex(6)
    get_user_model().objects.create_superuser(ADMIN, password=password)
    return password


def counts() -> Counter[Key]:
    """Return what is counted, by target and day."""
    found: Counter[Key] = Counter()
    rows = PageData.objects.values_list("parent__target", "collected_during", "views")
    for target, day, views in rows.iterator():
        found[target, day.isoformat()] += views
    for model, data_cls, field in (
        (Download, DownloadData, "downloads"),
        (Link, LinkData, "clicks"),
    ):
        targets = {item.pk: item.get_absolute_url() for item in model.objects.all()}
        for pk, day, count in data_cls.objects.values_list("object_id", "collected_during", field):
            found[targets[pk], day.isoformat()] += count
    return found


def filtered() -> dict[str, int]:
    """Return the crawlers' hits, which are not counted, by data class."""
    sums = LedgerEntry.objects.values_list("data_class").annotate(total=Sum("filtered"))
    return {label: total for label, total in sums.order_by() if total}


def failures() -> list[str]:
    """Say what was dropped by the journal or is in quarantine."""
    dropped = LedgerEntry.objects.aggregate(total=Sum("dropped"))["total"] or 0
    found = [f"{dropped:,} increments were dropped"] if dropped else []
    return found + [f"in quarantine: {message}" for message in QuarantinedMessage.objects.all()]
