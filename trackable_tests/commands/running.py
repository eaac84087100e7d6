"""Runs a command and keeps apart what it says."""

from __future__ import annotations

from io import StringIO
from typing import Any, NamedTuple

from django.core.management import call_command


class Said(NamedTuple):
    out: str
    err: str

    @property
    def numbers(self) -> dict[str, int]:
        """The table that it printed: a name and a number in each line."""
        words = [line.split() for line in self.out.splitlines()]
        return {
            " ".join(line[:place]): int(line[place])
            for line in words
            for place in [next(i for i, word in enumerate(line) if word.isdigit())]
        }


def run(command: str, *arguments: str, **options: Any) -> Said:
    """Run a command in this process, as its command line would."""
    out, err = StringIO(), StringIO()
    call_command(command, *arguments, stdout=out, stderr=err, **options)
    return Said(out.getvalue(), err.getvalue())
