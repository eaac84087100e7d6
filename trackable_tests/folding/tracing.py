"""Stopping a retry before each line of ours that it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from trackable.folding import engine, quarantine, relocation, retry, tries
from trackable.models import LedgerEntry, QuarantinedMessage
from trackable_tests.counting import Crash
from trackable_tests.testapp.models import Page, PageParentTotals, PageTotals

OURS = {module.__file__ for module in (retry, tries, relocation, quarantine, engine)}
TABLES = (PageTotals, PageParentTotals, QuarantinedMessage, LedgerEntry, Page)

Line = tuple[str, int]


def stopped_at_each_line(
    action: Callable[[], Any], prepare: Callable[[], Any], *aliases: str
) -> Iterator[tuple[Line, Any]]:
    """Prepare something in empty databases, and stop an action on it, line after line.

    Gives the line and what was prepared.
    """
    for line in lines_of(action, prepare):
        clear(*aliases)
        prepared = prepare()
        assert is_stopped_at(line, action), line
        yield line, prepared


def lines_of(action: Callable[[], Any], prepare: Callable[[], Any]) -> list[Line]:
    """Return the different lines that an action runs, in their order."""
    prepare()
    lines: dict[Line, None] = {}
    with_each_line(lambda *line: lines.setdefault(line), action)
    assert len(lines) > 100
    return list(lines)


def clear(*aliases: str) -> None:
    for alias in aliases:
        for model in TABLES:
            model.objects.using(alias).all().delete()


def is_stopped_at(stop: Line, action: Callable[[], Any]) -> bool:
    def see(*line: Any) -> None:
        if line == stop:
            raise Crash

    try:
        with_each_line(see, action)
    except Crash:
        return True
    return False


def with_each_line(see: Callable[[str, int], object], action: Callable[[], Any]) -> None:
    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in OURS:
            return None
        if event == "line":
            see(frame.f_code.co_filename, frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
