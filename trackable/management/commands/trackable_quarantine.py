"""Lists what could not be folded, folds it again, or removes it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from trackable.exceptions import TrackableError
from trackable.folding import ledger
from trackable.folding.retry import RetryReport, retry
from trackable.labels import folded_classes
from trackable.management import arguments, progress, quarantines
from trackable.management.printing import printable
from trackable.management.quarantines import Messages, Selection
from trackable.management.stopping import Stop
from trackable.status.words import counted

logger = logging.getLogger(__name__)

#: which action an option is for; the others are for each
ONLY_FOR: Final = {
    "json": "list",
    "summary": "list",
    "limit": "list",
    "older_than_ledger": "retry",
    "yes": "purge",
}


class Stopped(Exception):  # noqa: N818
    """A signal came; what is folded again by then is in the reports."""


class Command(BaseCommand):
    help = (
        "List what could not be folded, with the reasons; fold it again, once what was wrong is"
        " mended; or remove it for good."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["list", "retry", "purge"])
        parser.add_argument(
            "--class", dest="data_class", metavar="app.Model", help="of this data class only"
        )
        parser.add_argument("--reason", metavar="TEXT", help="with this text in the reason only")
        parser.add_argument(
            "--older-than",
            dest="before",
            type=arguments.stored_moment,
            metavar="TIME",
            help="set aside before: 90m, 12h or 7d ago, or a date and time",
        )
        parser.add_argument("--database", metavar="ALIAS", help="default: each that counts")
        parser.add_argument(
            "--json", action="store_true", help="list as a JSON array, with the payloads"
        )
        parser.add_argument(
            "--summary", action="store_true", help="list the reasons, and how many have them"
        )
        parser.add_argument(
            "--limit",
            type=arguments.positive_number,
            metavar="N",
            help="list at most N of each database, the newest (or the most frequent)",
        )
        parser.add_argument(
            "--older-than-ledger",
            action="store_true",
            help="retry also what came so late that it may be counted already",
        )
        parser.add_argument("--yes", action="store_true", help="purge without asking")

    def handle(self, *, action: str, verbosity: int, **options: Any) -> None:
        for name, only in ONLY_FOR.items():
            if options[name] and action != only:
                raise CommandError(f"--{name.replace('_', '-')} is for '{only}' only.")
        self.verbosity = verbosity
        selection = Selection(options["data_class"], options["reason"], options["before"])
        chosen = {alias: selection.messages(alias) for alias in _aliases(options["database"])}
        act = {"list": self._list, "retry": self._retry, "purge": self._purge}[action]
        try:
            self._doubt(selection.data_class, list(chosen))
            act(chosen, options)
        except (Error, TrackableError) as error:
            raise CommandError(
                f"The database refuses ({printable(error)}). The rest is as it was: see that it"
                " runs and that 'migrate' was run."
            ) from error

    def _doubt(self, label: str | None, aliases: list[str]) -> None:
        """Say so if a data class was named that neither the code nor a message knows."""
        known = [each._meta.label for each in folded_classes()]
        named = Selection(label)
        if label in (None, *known) or any(named.messages(alias).exists() for alias in aliases):
            return
        self.stderr.write(
            f"There is no data class {label!r}, and no message of one."
            f"{arguments.guess(str(label), known)}"
        )

    # list

    def _list(self, chosen: dict[str, Messages], options: dict[str, Any]) -> None:
        for line in _lines(chosen, options):
            self.stdout.write(line)

    # retry

    def _retry(self, chosen: dict[str, Messages], options: dict[str, Any]) -> None:
        self.reports: dict[str, RetryReport] = {}
        total = sum(messages.count() for messages in chosen.values())
        with Stop() as self.stop, progress.bar(total=total, unit=" messages") as self.bar:
            try:
                for alias, messages in chosen.items():
                    self._retry_in(alias, messages, options["older_than_ledger"])
            except Stopped:
                pass
            finally:
                report = self._report()
        if self.stop.requested:
            raise CommandError("Interrupted; what is not folded waits.", returncode=130)
        if report.returned:
            came = f"{counted(report.returned, 'message')} came back: 'list' shows the new reasons."
            raise CommandError(came)

    def _retry_in(self, alias: str, messages: Messages, older_than_ledger: bool) -> None:
        def note(so_far: RetryReport) -> None:
            self.reports[alias] = so_far
            tried = sum(each.folded + each.returned for each in self.reports.values())
            self.bar.update(tried - self.bar.n)
            if self.stop.requested:
                raise Stopped

        note(retry(alias, messages, older_than_ledger=older_than_ledger, progress=note))

    def _report(self) -> RetryReport:
        """Say what was done, and return it."""
        report = RetryReport()
        for each in self.reports.values():
            report += each
        if self.verbosity:
            self.stdout.write(_describe(report))
            self.stdout.flush()
        return report

    # purge

    def _purge(self, chosen: dict[str, Messages], options: dict[str, Any]) -> None:
        # What comes while the question is asked is not what was asked about.
        asked = {
            alias: messages.filter(pk__lte=newest)
            for alias, messages in chosen.items()
            if (newest := messages.values_list("pk", flat=True).first())
        }
        number = sum(messages.count() for messages in asked.values())
        if number and not options["yes"]:
            _ask(number)
        purged = sum(messages.order_by().delete()[0] for messages in asked.values())
        logger.info("%d quarantined messages were purged.", purged)
        if self.verbosity:
            self.stdout.write(f"Purged {counted(purged, 'message')}.")


def _aliases(wanted: str | None) -> list[str]:
    if wanted is None:
        return ledger.aliases()
    if wanted not in connections:
        known = list(connections)
        raise CommandError(f"{wanted!r} is no database.{arguments.guess(wanted, known)}")
    return [wanted]


def _lines(chosen: dict[str, Messages], options: dict[str, Any]) -> Iterator[str]:
    limit = options["limit"]
    make = quarantines.groups if options["summary"] else quarantines.objects
    if options["json"]:
        yield from quarantines.array(
            chain.from_iterable(make(alias, each, limit) for alias, each in chosen.items())
        )
        return
    for alias, messages in chosen.items():
        number = messages.count()
        yield f"{counted(number, 'message')} in the quarantine of the database '{alias}'"
        if number and options["summary"]:
            yield from quarantines.group_rows(quarantines.groups(alias, messages, limit))
        elif number:
            yield from quarantines.rows(messages, limit)


def _describe(report: RetryReport) -> str:
    """Return what a retry did, in a line."""
    parts = [
        f"Folded {counted(report.increments, 'increment')}",
        f"{counted(report.folded, 'message')} left the quarantine",
        f"{report.returned:,} came back",
    ]
    if report.left:
        parts.append(
            f"{report.left:,} not tried: may be counted already (--older-than-ledger folds such"
            " too)"
        )
    if report.known:
        parts.append(f"{report.known:,} counted or moved before")
    if report.gone:
        parts.append(f"{report.gone:,} gone")
    return ", ".join(parts)


def _ask(number: int) -> None:
    """Make sure that a person wants it, or raise ``CommandError``."""
    if not sys.stdin.isatty():
        raise CommandError(f"{counted(number, 'message')} would be removed for good: say --yes.")
    question = f"Remove {counted(number, 'message')} for good, never to be counted? [y/N] "
    try:
        answer = input(question)
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing is removed.")
