"""Signals in the middle of emits, and the death of a process by one."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from trackable.journal import segments, writer
from trackable.journal.segments import OPEN, SEALED
from trackable_tests.bounds.emitting import LINE, emit, found_in
from trackable_tests.bounds.forks import Fork, Tell


@pytest.mark.slow
@pytest.mark.parametrize("segment_lines", [1, 3, 100_000])
def test_emits_in_signal_handlers_in_the_middle_of_emits_are_counted(
    directory: Path, settings: Any, segment_lines: int
) -> None:
    settings.TRACKABLE_JOURNAL_SEGMENT_BYTES = len(LINE) * segment_lines
    settings.TRACKABLE_JOURNAL_FSYNC = "off"
    acknowledged, interruptions = Fork(emit_interrupted).result()
    assert interruptions > 20
    found = found_in(directory)
    assert (found["hits"], found["damaged"]) == (acknowledged, 0)


def emit_interrupted(tell: Tell) -> None:
    taken = [0, 0]

    def interrupt(*_: Any) -> None:
        taken[0] += emit()
        taken[1] += 1
        if taken[1] % 7 == 0:
            writer.seal()
        # Not at a steady pace: a handler that takes longer than that would interrupt itself.
        signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.0001, 0.002))

    dice = random.Random(7)
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    acknowledged, deadline = 0, time.monotonic() + 1.5
    while time.monotonic() < deadline:
        acknowledged += emit(5)
        writer.seal()
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    writer.seal()
    left = segments.listing(Path(writer.current().directory), OPEN)
    assert all(segment.size_bytes() == 0 for segment in left), "a segment was forgotten"
    tell([acknowledged + taken[0], taken[1]])


def test_a_handler_that_emits_first_does_not_lose_its_segment(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = segments.create

    def interrupted(path: Path) -> Any:
        monkeypatch.setattr(segments, "create", real)
        opened = real(path)
        assert emit(3) == 3  # as in a signal handler
        return opened

    monkeypatch.setattr(segments, "create", interrupted)
    assert emit(2) == 2
    writer.seal()
    assert [s.state for s in segments.listing(directory)] == [SEALED]
    assert found_in(directory)["hits"] == 5


def test_the_signal_of_a_file_that_is_too_long_ends_the_process_and_no_count(
    directory: Path,
) -> None:
    def grow(tell: Tell) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        size_bytes = len(LINE) * 10
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        while emit():
            tell(1)

    child = Fork(grow)
    acknowledged = 0
    while child.hear():
        acknowledged += 1
    assert child.end() == -signal.SIGXFSZ
    assert found_in(directory) == {"hits": acknowledged, "dropped": 0, "damaged": 0}


def test_nobody_who_reads_no_more_ends_an_emit(directory: Path) -> None:
    def emit_to_nobody(tell: Tell) -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        assert emit(5) == 5
        os.kill(os.getpid(), signal.SIGPIPE)

    child = Fork(emit_to_nobody)
    assert child.end() == -signal.SIGPIPE
    assert found_in(directory)["hits"] == 5
