"""Journals: one of our own for a while, and ones that are full before the clock runs."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.test import override_settings

from benchmarks import floor
from benchmarks.lab import Lab
from benchmarks.site.models import Page
from trackable import flusher
from trackable.journal import lines, segments
from trackable.messaging import key_of
from trackable.periods import encode_start

SEGMENT_BYTES: Final = 4 << 20
SEED: Final = 4


@contextmanager
def own(lab: Lab, **settings: Any) -> Iterator[Path]:
    """Give this process an empty journal, and remove it with what is in it."""
    folder = lab.new_folder()
    with override_settings(TRACKABLE_JOURNAL_DIR=str(folder), **settings):
        try:
            yield folder
        finally:
            flusher.finish()
    shutil.rmtree(folder)


class Prepared:
    """So many increments of so many counters, in random order, in our segments and in the floor's.

    Every counter is there, unless there are fewer increments.
    """

    def __init__(self, lab: Lab, increments: int, counters: int) -> None:
        self.lab = lab
        self.increments = increments
        self._order = [number % counters for number in range(increments)]
        random.Random(SEED).shuffle(self._order)
        self._counters = range(1, min(counters, increments) + 1)
        self.segments = self._write([_line(key) for key in self._counters])
        self.of_the_floor = self._write([floor.line(key) for key in self._counters])
        del self._order

    def _write(self, lines_of: Sequence[bytes]) -> list[Path]:
        folder = self.lab.new_folder()
        step = SEGMENT_BYTES // len(lines_of[-1])
        paths = []
        for start in range(0, self.increments, step):
            path = folder / f"{start:012}"
            path.write_bytes(b"".join(lines_of[at] for at in self._order[start : start + step]))
            paths.append(path)
        return paths

    @contextmanager
    def journal(self) -> Iterator[Path]:
        """Give a journal of sealed segments, with ids that no fold has seen; remove it."""
        folder = self.lab.new_folder()
        for path in self.segments:
            os.link(path, folder / f"{segments.new_id()}{segments.SEALED}")
        yield folder
        shutil.rmtree(folder)

    def remove(self) -> None:
        for paths in (self.segments, self.of_the_floor):
            shutil.rmtree(paths[0].parent)


@contextmanager
def prepared(lab: Lab, increments: int, counters: int) -> Iterator[Prepared]:
    """Give a journal's content, and remove it."""
    content = Prepared(lab, increments, counters)
    try:
        yield content
    finally:
        content.remove()


def _line(pk: int) -> bytes:
    label, parent, object_id, field = key_of(Page(pk=pk), "views")
    return lines.encode(label, parent, object_id, encode_start("day", None), field, 1)
