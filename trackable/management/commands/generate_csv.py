"""Writes what was counted for each object as CSV."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, Final, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import Error
from django.utils import timezone

from trackable.counters import counts_of
from trackable.export import Export
from trackable.management import arguments, targets
from trackable.management.printing import printable

#: A day before and one behind can be told in every time zone.
YEARS: Final = range(2, 9999)


class Command(BaseCommand):
    help = "Write the sums and averages of each object over a time, as CSV (RFC 4180, UTF-8)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", metavar="app.Model", help="whose objects; default: all")
        parser.add_argument(
            "--data-class",
            metavar="app.Model",
            help="which counts (default: the model's first data class that has the fields)",
        )
        parser.add_argument("--fields", metavar="FIELD,...", help="which counters (default: all)")
        parser.add_argument("--start", metavar="YYYY-MM-DD")
        parser.add_argument("--end", metavar="YYYY-MM-DD", help="the last day, included")
        parser.add_argument("--output", metavar="FILE", help="default: standard output")

    def handle(self, *, verbosity: int, output: str | None, **options: Any) -> None:
        export = export_of(options)
        zone = timezone.get_current_timezone()
        try:
            if output is None:
                export.write(_Unchanged(self.stdout), zone)
                return
            with written_whole(Path(output)) as file:
                number = export.write(file, zone)
        except OSError as error:
            raise CommandError(f"{output!r} cannot be written: {error.strerror}.") from error
        except Error as error:
            raise CommandError(f"The database refuses: {printable(error)}") from error
        if verbosity:
            self.stderr.write(f"{number} objects are in {output!r}.", self.style.SUCCESS)


class _Unchanged:
    """Passes text to a command's output, which would else end each piece with a line end."""

    def __init__(self, output: OutputWrapper) -> None:
        self._output = output

    def write(self, text: str, /) -> None:
        self._output.write(text, ending="")


def day(text: str | date | None) -> date | None:
    """Return the day that a text names."""
    try:
        found = date.fromisoformat(text) if isinstance(text, str) else text
    except ValueError:
        found = date.min
    if found is not None and found.year not in YEARS:
        raise CommandError(f"{str(text)!r} is no day: write YYYY-MM-DD.")
    return found


def export_of(options: dict[str, Any]) -> Export:
    """Return the export that the options of the command describe."""
    start, end = day(options["start"]), day(options["end"])
    if start and end and start > end:
        raise CommandError(f"--start {start} is after --end {end}.")
    wanted = [name for name in (options["fields"] or "").split(",") if name]
    model = arguments.model(options["model"]) if options["model"] else None
    data_cls = targets.data_class_of(model, options["data_class"], wanted, counts_of)
    if (start or end) and data_cls.period is None:
        label = data_cls._meta.label
        raise CommandError(f"{label} keeps no times: leave --start and --end out.")
    return Export(data_cls, wanted or list(counts_of(data_cls)), model, start, end)


@contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """Open a file that takes its place when it is written to the end, or not at all."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    file: TextIO
    try:
        with open(fd, "w", encoding="utf-8", newline="") as file:
            yield file
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
