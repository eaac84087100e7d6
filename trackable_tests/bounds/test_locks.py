"""Other transactions beside a fold: locks, deadlocks and isolation; the fold is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.db import Error, connection, connections
from django.db.models import F

from trackable.folding import engine, upsert
from trackable.folding.engine import FoldReport, fold
from trackable.models import LedgerEntry
from trackable_tests.bounds.databases import (
    BLOCKED_POLL_SECONDS,
    TOTALS,
    Attempts,
    Elsewhere,
    blocked,
    committing,
    execute,
    servers,
)
from trackable_tests.bounds.threads import in_threads
from trackable_tests.counting import a_page, batch, counts, entry
from trackable_tests.faults.waiting import until
from trackable_tests.testapp.models import Page, PageTotals

pytestmark = pytest.mark.django_db


def begin() -> None:
    connections["default"].set_autocommit(False)


def commit() -> None:
    connections["default"].commit()
    connections["default"].set_autocommit(True)


def add_100(page: Page) -> None:
    PageTotals.objects.filter(object_id=page.pk).update(views=F("views") + 100)


@servers
@committing
@pytest.mark.slow
def test_a_deadlock_is_tried_again(elsewhere: Elsewhere, attempts: Attempts) -> None:
    one, other = a_page("one"), a_page("other")
    fold(TOTALS, [batch(PageTotals, entry(one), entry(other))])

    def lock_the_last_first() -> None:
        begin()
        # The fold is to be the one that is given up.
        if connection.vendor == "postgresql":
            execute("SET LOCAL deadlock_timeout = '1min'")
        else:
            Page.objects.bulk_create([Page(title="", slug=f"{n}") for n in range(200)])
        add_100(other)

    def lock_the_first_then() -> None:
        try:
            until(blocked, every=BLOCKED_POLL_SECONDS)
            add_100(one)
        finally:
            commit()

    elsewhere(lock_the_last_first).result()
    done = elsewhere(lock_the_first_then)
    fold(TOTALS, [batch(PageTotals, entry(one), entry(other))])
    done.result()
    assert counts(PageTotals) == {one.pk: 102, other.pk: 102}
    assert attempts == [1, 2, 3]


IMPATIENCE = {
    "postgresql": "SET lock_timeout = '100ms'",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
    "sqlite": "PRAGMA busy_timeout = 100",
}


@committing
@pytest.mark.slow
def test_a_lock_that_is_held_too_long_is_waited_for_again(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    fold(TOTALS, [batch(PageTotals, entry(page))])
    once, failed = engine._fold_once, []

    def attempt(*args: Any) -> FoldReport:
        try:
            return once(*args)
        except Error:
            failed.append(1)
            elsewhere(commit).result()
            raise

    def hold() -> None:
        begin()
        add_100(page)

    monkeypatch.setattr(engine, "_fold_once", attempt)
    elsewhere(hold).result()
    execute(IMPATIENCE[connection.vendor])
    fold(TOTALS, [batch(PageTotals, entry(page))])
    assert (counts(PageTotals), len(failed)) == ({page.pk: 102}, 1)


@pytest.fixture(params=["REPEATABLE READ", "SERIALIZABLE"])
def isolation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have every connection isolate its transactions as the site's settings may ask for."""
    level: Any = request.param.lower()
    if connection.vendor == "postgresql":
        from psycopg import IsolationLevel

        level = IsolationLevel[request.param.replace(" ", "_")]
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "isolation_level", level)
    connection.close()
    yield
    connection.close()
    monkeypatch.undo()


@servers
@committing
@pytest.mark.usefixtures("isolation")
def test_a_row_that_changes_during_the_fold_is_added_to(
    elsewhere: Elsewhere, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    fold(TOTALS, [batch(PageTotals, entry(page))])
    real = upsert.add

    def add(*args: Any) -> None:
        monkeypatch.setattr(upsert, "add", real)
        elsewhere(add_100, page).result()
        real(*args)

    monkeypatch.setattr(upsert, "add", add)
    fold(TOTALS, [batch(PageTotals, entry(page))])
    assert counts(PageTotals) == {page.pk: 102}
    # PostgreSQL refuses to go on from a snapshot that is out of date.
    assert len(attempts) == (3 if connection.vendor == "postgresql" else 2)


@servers
@committing
@pytest.mark.slow
@pytest.mark.usefixtures("isolation")
def test_folds_in_parallel_are_exact_in_any_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.02)
    pages = [a_page(slug) for slug in "abc"]
    group = [batch(PageTotals, *(entry(page) for page in pages)) for _ in range(12)]

    def fold_some(turn: int) -> None:
        for number in range(0, 12, 2):
            at = (number + turn * 4) % 12
            fold(TOTALS, group[at : at + 2])

    in_threads(*(partial(fold_some, turn) for turn in range(3)))
    assert counts(PageTotals) == {page.pk: 12 for page in pages}
    assert LedgerEntry.objects.count() == 12
