"""Tells services what was added to the counters that ``TRACKABLE_FORWARD`` names."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, close_old_connections, connections

from trackable.contrib.analytics.forwarding.delivery import ForwardReport, forward
from trackable.management import arguments
from trackable.management.printing import printable
from trackable.management.stopping import Stop

FAILURE_PAUSE_SECONDS: Final = 5.0


class Command(BaseCommand):
    help = "Tell the services what folds have added to the counters that are forwarded."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--watch",
            type=arguments.positive_seconds,
            metavar="SECONDS",
            help="go on, with pauses of so many seconds, until SIGINT or SIGTERM",
        )

    def handle(self, *, watch: float | None = None, verbosity: int = 1, **options: Any) -> None:
        self.verbosity = verbosity
        with Stop() as stop:
            if watch:
                self._watch(stop, watch)
                return
            try:
                self._print(forward())
            except Error as error:
                raise CommandError(explain(error)) from error

    def _watch(self, stop: Stop, pause_seconds: float) -> None:
        while not stop.requested:
            close_old_connections()
            try:
                report = forward()
            except Error as error:
                self.stderr.write(f"{explain(error)} The next attempt follows.")
                connections.close_all()
                stop.wait(max(pause_seconds, FAILURE_PAUSE_SECONDS))
            else:
                if report != ForwardReport():
                    self._print(report)
                stop.wait(pause_seconds)

    def _print(self, report: ForwardReport) -> None:
        if self.verbosity:
            self.stdout.write(
                f"Forwarded {report.taken:,}, to be tried again {report.later:,}, given up"
                f" {report.dropped:,}"
            )


def explain(error: Error) -> str:
    """Return what went wrong, and the cure."""
    return (
        f"The database refuses ({printable(error)}). Nothing is lost: see that it runs and that"
        " 'migrate' was run."
    )
