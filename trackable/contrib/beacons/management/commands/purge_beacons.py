"""Removes beacons that are older than so and so long, and visitors who came only then."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils import timezone

from trackable.contrib.beacons import retention
from trackable.contrib.beacons.retention import PurgeReport
from trackable.management import arguments, progress
from trackable.management.printing import printable
from trackable.management.stopping import Stop


class Stopped(Exception):  # noqa: N818
    """A signal came; what is removed by then is in the report."""


class Command(BaseCommand):
    help = (
        "Remove beacons that are older than so and so long, the addresses that no later beacon"
        " came from, and the IP entities that did not come again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            dest="before",
            type=arguments.stored_moment,
            required=True,
            metavar="AGE",
            help="made before: 12h or 30d ago, or a date and time",
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
        total = None if dry_run else retention.old_beacons(before).count()
        with Stop() as self.stop, progress.bar(total=total, unit=" beacons") as bar:

            def note(so_far: PurgeReport) -> None:
                self.report = replace(so_far)
                bar.update(so_far.beacons - bar.n)
                if self.stop.requested:
                    raise Stopped

            with suppress(Stopped):
                retention.purge(before, dry_run=dry_run, progress=note)


def describe(report: PurgeReport, dry_run: bool) -> str:
    """Return what a purge did, in a line."""
    names = {
        "beacon": (report.beacons, "beacons"),
        "IP entity": (report.entities, "IP entities"),
        "address": (report.addresses, "addresses"),
    }
    parts = [f"{n:,} {one if n == 1 else many}" for one, (n, many) in names.items()]
    return f"{'Would remove' if dry_run else 'Removed'} {parts[0]}, {parts[1]}, {parts[2]}."
