"""Makes the calls that partners are owed, once or again and again."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, close_old_connections, connections

from trackable.contrib.affiliations import sweeping
from trackable.contrib.affiliations.sweeping import SweepReport
from trackable.management import arguments
from trackable.management.printing import printable
from trackable.management.stopping import Stop
from trackable.status.words import counted

FAILURE_PAUSE_SECONDS: Final = 5.0


class Stopped(Exception):  # noqa: N818
    """A signal came while there was more to deliver; what is done so far is in ``args``."""


class Command(BaseCommand):
    help = "Call the partners who are owed a call that is due, and say what came of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--watch",
            type=arguments.positive_seconds,
            metavar="SECONDS",
            help="go on, with pauses of so many seconds, until SIGINT or SIGTERM",
        )

    def handle(self, *, watch: float | None = None, verbosity: int = 1, **options: Any) -> None:
        self.verbosity = verbosity
        with Stop() as self.stop:
            if watch:
                self._watch(watch)
            else:
                self._deliver_once()

    def _deliver_once(self) -> None:
        try:
            self._print(self._deliver())
        except Error as error:
            raise CommandError(explain(error)) from error
        if self.stop.requested:
            raise CommandError("Interrupted; what is not delivered waits.", returncode=130)

    def _watch(self, pause_seconds: float) -> None:
        while not self.stop.requested:
            close_old_connections()
            try:
                report = self._deliver()
            except Error as error:
                self.stderr.write(f"{explain(error)} The next attempt follows.")
                connections.close_all()
                self.stop.wait(max(pause_seconds, FAILURE_PAUSE_SECONDS))
            else:
                if report.calls:
                    self._print(report)
                self.stop.wait(pause_seconds)

    def _deliver(self) -> SweepReport:
        """Deliver what is due; a signal ends it between two calls."""

        def on_progress(so_far: SweepReport) -> None:
            if self.stop.requested:
                raise Stopped(so_far)

        try:
            return sweeping.deliver_due(progress=on_progress)
        except Stopped as stopped:
            report: SweepReport = stopped.args[0]
            return report
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error

    def _print(self, report: SweepReport) -> None:
        if self.verbosity:
            self.stdout.write(describe(report))
            self.stdout.flush()
        if report.failed or report.refused:
            self.stderr.write("Why a call failed: see the callbacks in the admin.")


def describe(report: SweepReport) -> str:
    """Return what a sweep did, in a line."""
    numbers = {"failed": report.failed, "refused": report.refused}
    others = [f"{name} {number:,}" for name, number in numbers.items() if number]
    return ", ".join([f"Delivered {counted(report.delivered, 'callback')}", *others])


def explain(error: Error) -> str:
    """Return what went wrong, and the cure."""
    return (
        f"The database refuses ({printable(error)}). No callback is lost: see that it runs and"
        " that 'migrate' was run."
    )
