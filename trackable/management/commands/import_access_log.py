"""Imports access logs: each request that matches is emitted with its own time and user agent."""

from __future__ import annotations

import argparse
import os
import time
from contextlib import ExitStack
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)
from django.db import models
from django.utils import timezone

from trackable.accesslog import sources
from trackable.accesslog.importing import Importer, ImportReport, JournalCrowded
from trackable.accesslog.patterns import pattern_of
from trackable.accesslog.selection import Selection, methods, statuses
from trackable.accesslog.sources import STANDARD_INPUT, DamagedLog
from trackable.exceptions import TrackableError
from trackable.journal import writer
from trackable.lookups import Finder
from trackable.management import arguments, progress, targets
from trackable.management.stopping import Stop
from trackable.models import TrackableData

ZONE_OF_LOG: Final = "log"

EPILOG: Final = """\
to count every request target and day exactly as the log has them:
  manage.py import_access_log access.log.gz --model app.Page --field views \\
      --pattern '^/.*' --lookup path --keep-query --time-zone log

What is imported twice is counted twice.
"""


class HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the example."""


class Command(BaseCommand):
    help = (
        "Count the requests of access logs (common or combined format; plain, gzip, bzip2 or xz)"
        " on the objects whose pages they are. Fold afterwards."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs = {"epilog": EPILOG, "formatter_class": HelpFormatter, **kwargs}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="- for standard input")
        self._add_selection(parser)
        self._add_target(parser)
        parser.add_argument(
            "--time-zone",
            metavar="NAME",
            help="in which days begin and end: the site's (default), this one's, or 'log' for"
            " that in which each line was written",
        )
        parser.add_argument(
            "--skip",
            type=arguments.positive_number,
            default=0,
            metavar="N",
            help="leave out the first N lines of the first file, which are counted already",
        )

    def _add_selection(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--pattern",
            required=True,
            help="which paths are counted: a route, as in '/blog/<slug:slug>/', or a regular"
            " expression for the whole path; what it captures is looked up in the fields of"
            " these names",
        )
        parser.add_argument(
            "--lookup",
            metavar="FIELD",
            help="look up what the pattern captures, or the whole path, in this field",
        )
        parser.add_argument(
            "--keep-query",
            action="store_true",
            help="match the request target as it was logged: with its query string, and not"
            " percent-decoded",
        )
        parser.add_argument(
            "--status",
            metavar="200,3xx",
            help="count these answers only (default: all)",
        )
        parser.add_argument(
            "--method",
            metavar="GET,HEAD",
            help="count these methods only (default: all)",
        )

    def _add_target(self, parser: CommandParser) -> None:
        parser.add_argument("--field", required=True, help="the counter")
        parser.add_argument("--model", metavar="app.Model", help="whose objects the pages are")
        parser.add_argument(
            "--data-class",
            metavar="app.Model",
            help="where to count (default: the model's first data class that has the counter)",
        )
        parser.add_argument(
            "--create", action="store_true", help="make the objects that do not exist"
        )

    def handle(self, *, files: list[str], verbosity: int, **options: Any) -> None:
        self.verbosity = verbosity
        model = arguments.model(options["model"]) if options["model"] else None
        data_cls = targets.data_class_of(model, options["data_class"], [options["field"]])
        model = model or targets.only_parent_of(data_cls)
        importer = self._importer(model, data_cls, options)
        check_readable(files)
        started = time.monotonic()
        with ExitStack() as stack:
            if options["time_zone"] not in (None, ZONE_OF_LOG):
                stack.enter_context(timezone.override(zone(options["time_zone"])))
            self.stop = stack.enter_context(Stop())
            self.bar = stack.enter_context(
                progress.bar(total=sources.size_bytes(files), unit="B", scale=True)
            )
            # Whatever ends it: what is counted by then is said, and found by the next fold.
            stack.callback(self._print, importer.report, started)
            stack.callback(writer.seal)
            self._import(importer, files, options["skip"])

    def _importer(
        self, model: type[models.Model], data_cls: type[TrackableData], options: dict[str, Any]
    ) -> Importer:
        target = data_cls.parent_target()
        try:
            selection = selection_of(options)
            needed = [target.name] if target else []
            finder = Finder(model, selection.pattern.names, needed=needed)
        except TrackableError as error:
            raise CommandError(str(error)) from error
        return Importer(
            finder,
            selection,
            data_cls,
            options["field"],
            creates=options["create"],
            zone_of_log=options["time_zone"] == ZONE_OF_LOG,
            on_missing=self._on_missing,
        )

    def _import(self, importer: Importer, files: list[str], skip: int) -> None:
        damaged = []
        for name in files:
            try:
                self._import_file(importer, name, skip)
            except DamagedLog as error:
                damaged.append(name)
                self._tell(f"{name!r} cannot be read to its end: {error}")
            skip = 0
        if damaged:
            raise CommandError(
                f"{', '.join(map(repr, damaged))} could not be read to the end; what came before"
                " is counted. Do not import it again, unless with --skip."
            )

    def _import_file(self, importer: Importer, name: str, skip: int) -> None:
        importer.on_unparsable = lambda number, text: self._tell(
            f"{name!r}, line {number} is no line of an access log: {text}"
        )
        done = skip
        try:
            for done in importer.run(sources.lines(name, on_bytes=self.bar.update), skip=skip):
                if self.stop.requested:
                    raise CommandError(f"Interrupted. {go_on(name, done)}", returncode=130)
        except JournalCrowded as error:
            raise CommandError(
                f"{error} Run fold_trackable_messages. {go_on(name, done)}"
            ) from error
        except TrackableError as error:
            if isinstance(error, DamagedLog):
                raise
            raise CommandError(str(error)) from error

    def _on_missing(self, target: str, reason: str) -> None:
        self._tell(f"{target} is not counted: {reason}")

    def _tell(self, text: str) -> None:
        if self.verbosity:
            self.bar.clear()
            self.stderr.write(text)

    def _print(self, report: ImportReport, started: float) -> None:
        self.bar.close()
        if self.verbosity:
            self.stdout.write(describe(report, time.monotonic() - started))


def describe(report: ImportReport, seconds: float) -> str:
    """Return what became of the lines, a number a line."""
    rows = [
        ("lines read", report.lines, f" in {seconds:.2f} s"),
        ("counted", report.counted, ""),
        ("filtered", report.filtered, " from crawlers"),
        ("unmatched", report.unmatched, " of other paths"),
        ("missing", report.missing, " whose objects do not exist"),
        ("unparsable", report.unparsable, ""),
    ]
    if report.excluded:
        rows.append(("excluded", report.excluded, " by --status or --method"))
    if report.dropped:
        rows.append(("dropped", report.dropped, ": the log says why"))
    return "\n".join(f"{name:<11}{number:>12}{note}" for name, number, note in rows)


def go_on(name: str, done: int) -> str:
    """Return how to go on behind the line that was done last."""
    return f"{name!r} is counted up to line {done}: go on with --skip {done}."


def selection_of(options: dict[str, Any]) -> Selection:
    """Return the selection that the options of the command describe."""
    return Selection(
        pattern_of(options["pattern"], options["lookup"]),
        statuses(options["status"]),
        methods(options["method"]),
        options["keep_query"],
    )


def check_readable(files: list[str]) -> None:
    """Raise ``CommandError`` before anything is counted if a file cannot be."""
    seen = set()
    for name in files:
        same = name if name == STANDARD_INPUT else os.path.realpath(name)
        if same in seen:
            raise CommandError(f"{name!r} is named twice, and would be counted twice.")
        seen.add(same)
        if reason := sources.obstacle(name):
            raise CommandError(f"{name!r} cannot be read: {reason}.")


def zone(name: str) -> ZoneInfo:
    """Return the time zone of a name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise CommandError(
            f"{name!r} is no time zone: use a name such as Europe/Vienna."
        ) from error
