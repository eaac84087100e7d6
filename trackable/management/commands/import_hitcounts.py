"""Imports what django-hitcount has counted into a data class, each hit once."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.utils import timezone

from trackable.conversion.plan import BadConversion
from trackable.exceptions import TrackableError
from trackable.hitcounts import survey
from trackable.hitcounts.importer import Importer
from trackable.hitcounts.plan import BEGINNING, NONE, OLDEST, HitPlan, Remainder, whole
from trackable.hitcounts.tables import TOTALS
from trackable.management import arguments, progress, targets
from trackable.management.printing import printable
from trackable.management.stopping import Stop
from trackable.status.words import counted

YEARS: Final = range(1900, 9999)
PLACES: Final[dict[str, Remainder]] = {OLDEST: OLDEST, NONE: NONE}

#: what the report calls its numbers; those after the first five are shown if there are any
NAMES: Final = {
    "objects": "objects",
    "hits": "hits by their time",
    "remainder": "hits without a time",
    "gone_objects": "objects that are gone",
    "gone": "hits on these, left out",
    "placeless": "without a time, left out",
    "crawlers": "of crawlers, left out",
    "elsewhen": "later, left out",
    "surplus": "more than the totals",
}
ALWAYS: Final = list(NAMES)[:5]


class Command(BaseCommand):
    help = (
        "Add what django-hitcount has counted to a data class, from its tables, whether it is"
        " still installed or not. Run it again to go on where it was interrupted, and to add what"
        " came since: no hit is added twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "target", metavar="app.Model:counter", help="whose hits are added to which counter"
        )
        parser.add_argument(
            "--data-class",
            metavar="app.Model",
            help="where to count (default: the model's first data class with the counter)",
        )
        self._add_selection(parser)
        parser.add_argument("--dry-run", action="store_true", help="do all of it, and undo it")
        parser.add_argument(
            "--forget",
            action="store_true",
            help="begin from the start again, after what was imported has been removed",
        )

    def _add_selection(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--remainder-on",
            type=place,
            metavar="DATE|oldest|none",
            help="the day for hits whose rows were removed, so that nobody knows when they were",
        )
        parser.add_argument("--since", type=point, metavar="TIME", help="leave out earlier hits")
        parser.add_argument(
            "--before", type=point, metavar="TIME", help="leave out hits from then on"
        )
        parser.add_argument(
            "--without-crawlers", action="store_true", help="leave out hits of crawlers"
        )
        parser.add_argument(
            "--database", default=DEFAULT_DB_ALIAS, metavar="ALIAS", help="where its tables are"
        )
        parser.add_argument(
            "--totals-table", default=TOTALS, metavar="TABLE", help=f"default: {TOTALS}"
        )

    def handle(self, *, verbosity: int, dry_run: bool, **options: Any) -> None:
        try:
            importer = Importer(plan_of(options), dry=dry_run)
            left = importer.start(forget=options["forget"])
            self._run(importer, left)
            if verbosity:
                self.stdout.write(describe(importer))
                self._tell_others(importer.plan)
        except BadConversion as error:
            raise CommandError(f"{printable(error)} {self.done}".strip()) from error
        except TrackableError as error:
            raise CommandError(printable(error)) from error
        except Error as error:
            raise CommandError(f"The database refuses: {printable(error)} {self.done}") from error

    done = ""

    def _run(self, importer: Importer, left: int) -> None:
        with Stop() as stop, progress.bar(total=left, unit=" objects") as bar:
            self.done = how_to_go_on(importer)
            for number in importer.run():
                bar.update(number)
                self.done = how_to_go_on(importer)
                if stop.requested:
                    raise CommandError(f"Interrupted. {self.done}", returncode=130)

    def _tell_others(self, plan: HitPlan) -> None:
        for label, held in survey.others(plan, survey.content_type_id(plan)):
            self.stderr.write(
                f"Not imported: {counted(held.hits, 'hit')} on {counted(held.objects, 'object')}"
                f" of {printable(label)}."
            )


def plan_of(options: dict[str, Any]) -> HitPlan:
    """Return the plan that the options of the command describe."""
    label, colon, counter = options["target"].partition(":")
    if not colon or not counter:
        raise CommandError(f"{options['target']!r} names no counter: write app.Model:counter.")
    model = arguments.model(label)
    database = options["database"]
    if database not in connections:
        raise CommandError(f"{database!r} is no database.{arguments.guess(database, connections)}")
    return HitPlan(
        model,
        targets.data_class_of(model, options["data_class"], [counter]),
        counter,
        since=options["since"],
        before=options["before"],
        remainder=options["remainder_on"],
        without_crawlers=options["without_crawlers"],
        alias=database,
        totals_table=options["totals_table"],
    )


def point(text: str) -> datetime:
    """Return a time, for ``argparse``.

    It must be the same when the command is run again, so it cannot be an age.
    """
    if arguments.AGE.fullmatch(text.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 2026-11-21T09:30")
    found = whole(datetime.fromtimestamp(arguments.moment(text), UTC))
    if found <= BEGINNING:
        raise argparse.ArgumentTypeError(f"{text!r} is before any hit")
    return found


def place(text: str) -> Remainder:
    """Return where hits without a time go, for ``argparse``."""
    if text in PLACES:
        return PLACES[text]
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if found.year not in YEARS:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write YYYY-MM-DD, oldest or none")
    return found


def describe(importer: Importer) -> str:
    """Return what was imported, a number a line."""
    numbers = asdict(importer.report)
    shown = {name: numbers[key] for key, name in NAMES.items() if numbers[key] or key in ALWAYS}
    lines = [f"{name:<26}{number:>12}" for name, number in shown.items()]
    until = timezone.localtime(importer.marker.before).strftime("%Y-%m-%d %H:%M:%S %Z")
    verb = "would be imported" if importer.dry else "are imported"
    return "\n".join([*lines, f"Hits before {until} {verb}."])


def how_to_go_on(importer: Importer) -> str:
    """Return what is done, and how to go on."""
    if importer.dry:
        return "Nothing was written."
    return "What was imported is noted: run it again to go on behind it."
