"""Sums old rows into those of coarser periods, as the data classes' retention says."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from trackable.exceptions import TrackableError
from trackable.management import arguments, progress
from trackable.management.printing import printable
from trackable.management.stopping import Stop
from trackable.models import TrackableData
from trackable.rollups import rolling
from trackable.rollups.retention import retention_of
from trackable.rollups.rolling import RollUpReport
from trackable.status.words import counted


class Stopped(Exception):  # noqa: N818
    """A signal came; what is done by then is in the report."""


class Command(BaseCommand):
    help = (
        "Sum old rows into those of days, weeks, months or years, as the retention of their data"
        " classes says, and remove what that says is to be removed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "data_classes",
            nargs="*",
            metavar="app.Model",
            help="roll up these data classes only; default: all that have a retention",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say how many rows are due, and leave them"
        )
        parser.add_argument(
            "--database", metavar="ALIAS", help="default: the one that counts each class"
        )
        parser.add_argument(
            "--max-seconds",
            type=arguments.positive_seconds,
            metavar="SECONDS",
            help="end after so many seconds; the next run goes on",
        )

    def handle(self, *, data_classes: list[str], verbosity: int, **options: Any) -> None:
        self.verbosity = verbosity
        self.alias = _known(options["database"])
        chosen = [_rolled_up(label) for label in data_classes]
        chosen = chosen or rolling.classes_with_retention()
        if not chosen:
            self.stdout.write("No data class has a retention: nothing is rolled up.")
            return
        try:
            if options["dry_run"]:
                self._tell_waiting(chosen)
            else:
                self._roll_up(chosen, options["max_seconds"])
        except (Error, TrackableError) as error:
            raise CommandError(
                f"Not all could be rolled up ({printable(error)}). Nothing is lost, and the next"
                " run goes on: see that the database runs and that 'migrate' was run."
            ) from error

    def _tell_waiting(self, chosen: list[type[TrackableData]]) -> None:
        for data_cls in chosen:
            label = data_cls._meta.label
            found = rolling.waiting(data_cls, self.alias).items()
            due = {step: number for step, number in found if number}
            self.stdout.write(f"{label}: {_due(due)}")

    def _roll_up(self, chosen: list[type[TrackableData]], max_seconds: float | None) -> None:
        report, begun = RollUpReport(), time.monotonic()
        with Stop() as self.stop, progress.bar(total=None, unit=" rows") as bar:
            if not bar.disable:
                dues = (rolling.waiting(each, self.alias) for each in chosen)
                bar.reset(total=sum(sum(due.values()) for due in dues))

            def note(so_far: RollUpReport) -> None:
                bar.update(so_far.rows + so_far.removed - bar.n)
                if self.stop.requested:
                    raise Stopped

            try:
                with suppress(Stopped):
                    rolling.roll_up_all(
                        chosen,
                        alias=self.alias,
                        max_seconds=max_seconds,
                        report=report,
                        progress=note,
                    )
            finally:
                self._print(report, time.monotonic() - begun)
        if self.stop.requested:
            raise CommandError("Interrupted; the next run goes on.", returncode=130)

    def _print(self, report: RollUpReport, seconds: float) -> None:
        if self.verbosity:
            self.stdout.write(describe(report, seconds))
            self.stdout.flush()
        if report.refused_objects:
            objects = counted(report.refused_objects, "object")
            self.stderr.write(f"The rows of {objects} stay as they are: the log says why.")


def _known(alias: str | None) -> str | None:
    if alias is not None and alias not in connections:
        raise CommandError(f"{alias!r} is no database.{arguments.guess(alias, connections)}")
    return alias


def _rolled_up(label: str) -> type[TrackableData]:
    data_cls = arguments.data_class(label)
    if retention_of(data_cls) is None:
        raise CommandError(f"{label} has no retention: write one in its 'class Trackable'.")
    return data_cls


def _due(due: dict[str, int]) -> str:
    """Return how many rows are due, in words."""
    parts = [
        f"{counted(number, 'row')} {f'to be summed by {step}' if step else 'to be removed'}"
        for step, number in due.items()
    ]
    return ", ".join(parts) or "nothing is due"


def describe(report: RollUpReport, seconds: float) -> str:
    """Return what was done, in a line."""
    parts = [f"Summed up {counted(report.rows, 'row')} in {seconds:.2f} s"]
    if report.removed:
        parts.append(f"removed {report.removed:,}")
    if report.unfinished:
        parts.append(f"{report.unfinished:,} not finished: the next run goes on")
    return ", ".join(parts)
