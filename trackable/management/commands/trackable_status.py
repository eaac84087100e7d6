"""Says how things stand, and fails when something is wrong: for people and for monitors."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trackable.management import arguments
from trackable.status import Limits, gather, problems
from trackable.status.report import as_json, as_text


class Command(BaseCommand):
    help = (
        "Say what waits, what was counted and what is wrong, on this machine, at the broker and in"
        " the databases. Exit code 1 if something is wrong."
    )
    # Their errors would hide what this shows.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--max-age",
            dest="max_age_seconds",
            type=arguments.positive_seconds,
            metavar="SECONDS",
            help="fail if increments wait here for longer than this to be folded (default: twice"
            " TRACKABLE_COLLECTION_PERIOD and five minutes)",
        )
        parser.add_argument(
            "--max-journal",
            dest="max_journal_percent",
            type=arguments.percentage,
            metavar="PERCENT",
            help="fail if the journal has more than this of TRACKABLE_JOURNAL_MAX_BYTES (80)",
        )
        parser.add_argument(
            "--max-depth",
            type=arguments.natural_number,
            metavar="N",
            help="fail if more messages than this wait in any one queue (default: any number may)",
        )
        parser.add_argument(
            "--max-fold-age",
            dest="max_fold_age_seconds",
            type=arguments.positive_seconds,
            metavar="SECONDS",
            help="fail if something waits and the last fold is longer ago than this (default: it"
            " does not matter)",
        )
        parser.add_argument(
            "--max-quarantined",
            type=arguments.natural_number,
            metavar="N",
            help="fail if more messages than this are in a quarantine (default: any number may)",
        )

    def handle(self, *, json: bool, verbosity: int, **options: Any) -> None:
        status = gather()
        found = problems(status, _limits(options))
        if json:
            self.stdout.write(as_json(status, found))
        elif verbosity:
            self.stdout.write(as_text(status, found))
        self.stdout.flush()
        if found:
            number = f"{len(found)} problem{'s' if found[1:] else ''}"
            raise CommandError("\n".join([number, *map(str, found)]))


def _limits(options: dict[str, Any]) -> Limits:
    named = {each.name: options[each.name] for each in fields(Limits)}
    given = {name: limit for name, limit in named.items() if limit is not None}
    try:
        return replace(Limits.default(), **given)
    except (TypeError, ValueError) as error:
        raise CommandError(f"TRACKABLE_COLLECTION_PERIOD is no number: {error}") from error
