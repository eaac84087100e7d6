"""Selections take hits by status and method, and tell what their objects are looked up by."""

from __future__ import annotations

from typing import Any

import pytest

from trackable.accesslog.lines import Hit, parse
from trackable.accesslog.patterns import pattern_of
from trackable.accesslog.selection import BadSelection, Selection, methods, statuses
from trackable_tests.accesslog.logs import line
from trackable_tests.tables import for_each


def hit(**kwargs: Any) -> Hit:
    found = parse(line(**kwargs))
    assert found is not None
    return found


def a_selection(status: str | None = None, method: str | None = None, **kwargs: Any) -> Selection:
    return Selection(pattern_of("^/.*", "path"), statuses(status), methods(method), **kwargs)


@for_each(
    "status, taken",
    [
        (None, [200, 206, 304, 404]),
        ("200", [200]),
        ("2xx, 404", [200, 206, 404]),
        ("2XX", [200, 206]),
    ],
)
def test_status_selects(status: str | None, taken: list[int]) -> None:
    selection = a_selection(status)
    assert [code for code in (200, 206, 304, 404) if selection.takes(hit(status=code))] == taken


def test_method_selects() -> None:
    selection = a_selection(method="get, head")
    assert [selection.takes(hit(method=name)) for name in ("GET", "HEAD", "POST")] == [1, 1, 0]


@for_each("wrong", ["20x", "2", "abc", "200,", "2000", "\u0662xx"])
def test_what_is_no_status_is_refused(wrong: str) -> None:
    with pytest.raises(BadSelection, match="no status code"):
        statuses(wrong)


@pytest.mark.parametrize(("keep_query", "captured"), [(False, "/a b"), (True, "/a%20b?c=d")])
def test_query_and_percent_signs_go_together(keep_query: bool, captured: str) -> None:
    selection = a_selection(keep_query=keep_query)
    assert selection.captured(selection.key(b"/a%20b?c=d")) == (("path", captured),)


def test_other_paths_have_nothing() -> None:
    assert a_selection().captured(b"*") is None
