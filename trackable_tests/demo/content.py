"""What the demo site has to show: its own pages, or those of an access log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.core.management import call_command
from django.db import transaction

from trackable_tests.demo.models import Download, Link, Page

FIXTURE: Final = "harbour"
BATCH_SIZE: Final = 500


def fill() -> None:
    """Put the site's pages, downloads and links into the database."""
    call_command("loaddata", FIXTURE, verbosity=0)


@transaction.atomic
def fill_from_targets(targets: Iterable[str]) -> None:
    """Make a page of each target of an access log; they must differ."""
    pages = (
        Page(slug=f"log-{number}", title=target[:200], target=target)
        for number, target in enumerate(targets, 1)
    )
    Page.objects.bulk_create(pages, batch_size=BATCH_SIZE)


def targets() -> dict[str, list[str]]:
    """Return what can be requested, by the label of the data class that counts it."""
    return {
        f"demo.{model.__name__}Data": [item.get_absolute_url() for item in model.objects.all()]
        for model in (Page, Download, Link)
    }
