"""Folds what was emitted, once or again and again."""

from __future__ import annotations

import time
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, close_old_connections, connections

from trackable import conf
from trackable.exceptions import BrokerUnavailable, TrackableError
from trackable.folding.collect import collect
from trackable.folding.engine import FoldReport
from trackable.management import arguments, progress
from trackable.management.printing import printable
from trackable.management.stopping import Stop
from trackable.status.words import counted

FAILURE_PAUSE_SECONDS: Final = 5.0
FAILURES: Final = (TrackableError, Error, OSError)


class Stopped(Exception):  # noqa: N818
    """A signal came while there was more to fold; what is folded so far is in ``args``."""


class Command(BaseCommand):
    help = "Ship what this machine has emitted, fold what waits anywhere, and say what was folded."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "data_classes", nargs="*", metavar="app.Model", help="fold these data classes only"
        )
        parser.add_argument(
            "--max-messages",
            type=arguments.positive_number,
            metavar="N",
            help="fold at most N batches (in each round)",
        )
        parser.add_argument(
            "--watch",
            type=arguments.positive_seconds,
            metavar="SECONDS",
            help="go on, with pauses of so many seconds, until SIGINT or SIGTERM",
        )

    def handle(self, *, data_classes: list[str], verbosity: int, **options: Any) -> None:
        self.verbosity = verbosity
        self.data_classes = [arguments.folded_class(label) for label in data_classes] or None
        self.max_messages = options["max_messages"]
        with Stop() as self.stop:
            if options["watch"]:
                self._watch(options["watch"])
            else:
                self._fold_once()

    def _fold_once(self) -> None:
        try:
            self._print(*self._fold(wait=True))
        except FAILURES as error:
            raise CommandError(explain(error)) from error
        if self.stop.requested:
            raise CommandError("Interrupted; what is not folded waits.", returncode=130)

    def _watch(self, pause_seconds: float) -> None:
        wait = True
        while not self.stop.requested:
            close_old_connections()
            try:
                report, seconds = self._fold(wait=wait)
            except FAILURES as error:
                self.stderr.write(f"{explain(error)} The next attempt follows.")
                connections.close_all()
                self.stop.wait(max(pause_seconds, FAILURE_PAUSE_SECONDS))
            else:
                wait = False
                if report != FoldReport():
                    self._print(report, seconds)
                self.stop.wait(pause_seconds)

    def _fold(self, *, wait: bool) -> tuple[FoldReport, float]:
        """Fold what waits; a signal ends it between two transactions."""
        started = time.monotonic()
        with progress.bar(total=None, unit=" increments") as bar:

            def on_progress(so_far: FoldReport) -> None:
                bar.update(so_far.increments - bar.n)
                if self.stop.requested:
                    raise Stopped(so_far)

            try:
                report = collect(
                    self.data_classes,
                    max_batches=self.max_messages,
                    wait=wait,
                    progress=on_progress,
                )
            except Stopped as stopped:
                (report,) = stopped.args
        return report, time.monotonic() - started

    def _print(self, report: FoldReport, seconds: float) -> None:
        if self.verbosity:
            self.stdout.write(describe(report, seconds))
            self.stdout.flush()
        if report.quarantined:
            self.stderr.write("What was quarantined: see the admin, or trackable_quarantine list.")


def describe(report: FoldReport, seconds: float) -> str:
    """Return what a fold did, in a line."""
    parts = [
        f"Folded {counted(report.increments, 'increment')} in {seconds:.2f} s",
        f"filtered {report.filtered:,}",
        f"quarantined {report.quarantined:,}",
    ]
    others = {
        "dropped": report.dropped,
        "damaged lines": report.damaged,
        "batches": report.batches,
        "duplicate batches": report.duplicate_batches,
    }
    return ", ".join([*parts, *(f"{name} {number:,}" for name, number in others.items() if number)])


def explain(error: Exception) -> str:
    """Return what went wrong, and the cure."""
    cause = printable(error) or type(error).__name__
    if isinstance(error, BrokerUnavailable):
        return (
            f"The broker does not answer ({cause}). Nothing is lost: start it, or correct"
            " TRACKABLE_BROKER_URL."
        )
    if isinstance(error, Error):
        return (
            f"The database refuses ({cause}). Nothing is lost: see that it runs and that"
            " 'migrate' was run."
        )
    if isinstance(error, TrackableError):
        return f"{cause} Nothing is lost."
    return f"The journal in {conf.journal_dir()} cannot be used ({cause}): see to its folder."
