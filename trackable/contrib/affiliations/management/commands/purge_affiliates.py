"""Removes calls that are done, and visitors, that are older than so and so long."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils import timezone

from trackable.contrib.affiliations import retention
from trackable.contrib.affiliations.retention import PurgeReport
from trackable.management import arguments, progress
from trackable.management.printing import printable
from trackable.management.stopping import Stop
from trackable.status.words import counted


class Stopped(Exception):  # noqa: N818
    """A signal came; what is removed by then is in the report."""


class Command(BaseCommand):
    help = (
        "Remove the calls of partners that are done, with their attempts, and the visitors who do"
        " not count any more, that are older than so and so long. Totals stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            dest="before",
            type=arguments.stored_moment,
            required=True,
            metavar="AGE",
            help="of before: 12h or 90d ago, or a date and time",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be removed, and leave it"
        )

    def handle(
        self, *, before: datetime, dry_run: bool = False, verbosity: int = 1, **options: Any
    ) -> None:
        if before > timezone.now():
            raise CommandError("That time is still to come: nothing is removed.")
        self.report = PurgeReport()
        try:
            self._purge(before, dry_run)
        except Error as error:
            raise CommandError(
                f"The database refuses ({printable(error)}). What is not removed by now goes with"
                " the next purge: see that it runs and that 'migrate' was run."
            ) from error
        finally:
            if verbosity:
                self.stdout.write(describe(self.report, dry_run))
                self.stdout.flush()
        if self.stop.requested:
            raise CommandError(
                "Interrupted; what is left goes with the next purge.", returncode=130
            )

    def _purge(self, before: datetime, dry_run: bool) -> None:
        with Stop() as self.stop, progress.bar(total=None, unit=" rows") as bar:

            def note(so_far: PurgeReport) -> None:
                self.report = replace(so_far)
                bar.update(so_far.callbacks + so_far.attempts + so_far.visitors - bar.n)
                if self.stop.requested:
                    raise Stopped

            with suppress(Stopped):
                retention.purge(before, dry_run=dry_run, progress=note)


def describe(report: PurgeReport, dry_run: bool) -> str:
    """Return what a purge did, in a line."""
    return (
        f"{'Would remove' if dry_run else 'Removed'} {counted(report.callbacks, 'callback')} with"
        f" {counted(report.attempts, 'attempt')}, and {counted(report.visitors, 'visitor')}."
    )
