"""Folding visitors: each counts once in a row, in the transaction that counts everything else."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection

from trackable.folding import engine, upsert
from trackable.folding.engine import FoldReport, fold
from trackable.messaging import process_messages
from trackable.models import UniqueSecret
from trackable.uniques import sketches, writing
from trackable.uniques.fields import stored
from trackable_tests.bounds.threads import in_threads
from trackable_tests.counting import a_page, batch, counts, reasons
from trackable_tests.testapp.models import Page, PageReaders, PageVisitors
from trackable_tests.uniques.seeing import (
    DAY,
    LABEL,
    NOON,
    see,
    seen,
    united,
    viewed,
    visit,
    visitors,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pause")]
committing = pytest.mark.django_db(transaction=True)

TODAY = date.fromisoformat(DAY)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)


# rows


def test_each_visitor_counts_once_a_day(broker_url: str | None) -> None:
    one, other = a_page("one"), a_page("other")
    see(one, "ana", "ben", "ana")
    see(other, "ana")
    see(one, "ana", when=NOON + timedelta(days=1))
    assert process_messages() == 5
    see(one, "ben", "cem")
    assert process_messages() == 2
    assert visitors() == {
        (one.pk, TODAY): 3,
        (other.pk, TODAY): 1,
        (one.pk, TODAY + timedelta(days=1)): 1,
    }
    assert reasons() == []


def test_counters_beside_visitors_are_counted_too() -> None:
    page = a_page()
    for _ in range(2):
        fold(LABEL, [visit(seen(page, "ana"), viewed(page, 5), viewed(page, -2))])
    assert (visitors(), counts(PageVisitors)) == ({(page.pk, TODAY): 1}, {(page.pk, TODAY): 6})


def test_a_row_is_made_by_either() -> None:
    one, other = a_page("one"), a_page("other")
    fold(LABEL, [visit(seen(one, "ana"), viewed(other))])
    assert visitors() == {(one.pk, TODAY): 1, (other.pk, TODAY): 0}
    fold(LABEL, [visit(seen(other, "ana"), viewed(one))])
    assert visitors() == {(one.pk, TODAY): 1, (other.pk, TODAY): 1}
    assert counts(PageVisitors) == {(one.pk, TODAY): 1, (other.pk, TODAY): 1}


def test_how_often_somebody_was_seen_does_not_matter() -> None:
    page = a_page()
    sent = visit(seen(page, "ana")._replace(amount=7, hits=7), seen(page, "ben"))
    assert fold(LABEL, [sent, visit(seen(page, "ana"))]).increments == 9
    assert visitors() == {(page.pk, TODAY): 2}


def test_a_fold_that_changes_no_sketch_writes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    page = a_page()
    written: list[int] = []
    real = writing._write
    monkeypatch.setattr(writing, "_write", lambda *a: (written.append(len(a[-1])), real(*a)))
    for _ in range(2):
        fold(LABEL, [visit(*(seen(page, key) for key in range(50)))])
    assert written == [1, 0]


def test_many_rows_are_written_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LOOKUP_SIZE", 7)
    monkeypatch.setattr(writing, "UPDATES_AT_ONCE", 3)
    pages = [Page(pk=number) for number in range(1, 31)]
    for step in (1, 3):
        keys = {page.pk: range(0, page.pk, step) for page in pages}
        fold(LABEL, [visit(*(seen(page, key) for page in pages for key in keys[page.pk]))])
    assert visitors() == {(page.pk, TODAY): page.pk for page in pages}


def test_a_database_without_such_a_statement_is_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.features, "supports_update_conflicts", False)
    page = a_page()
    for key in ("ana", "ben", "ana"):
        fold(LABEL, [visit(seen(page, key))])
    assert visitors() == {(page.pk, TODAY): 2}


def test_keys_that_the_database_takes_for_one_are_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_find", lambda *_: {})  # as if Python could tell none of them
    page = a_page()
    for key in ("ana", "ben", "ana"):
        fold(LABEL, [visit(seen(page, key), viewed(page))])
    assert visitors() == {(page.pk, TODAY): 2}


@pytest.mark.parametrize("portably", [False, True])
def test_a_class_may_have_visitors_alone(portably: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if portably:
        monkeypatch.setattr(upsert, "STATEMENTS", {})
    one, other = a_page("one"), a_page("other")
    for keys in (("ana", "ben"), ("ben", "cem"), ("cem",)):
        entries = [seen(page, key, "", "readers") for page in (one, other) for key in keys]
        assert fold("testapp.PageReaders", [batch(PageReaders, *entries)]).quarantined == 0
    found = PageReaders.objects.values_list("parent_id", "readers")
    assert sorted(found) == [(one.pk, 3), (other.pk, 3)]
    assert UniqueSecret.objects.get().rotation == "never"


# unions


def test_unions_over_days_and_objects_are_the_sketch_of_all(settings: Any) -> None:
    """Of rows with one secret: those of a month, where it lives so long."""
    dice = random.Random(1)
    pages = [Page(pk=number) for number in range(1, 5)]
    rotation = PageVisitors._meta.get_field("visitors")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rotation, "rotates", "month")
        for day in (1, 8, 30):
            entries = [
                seen(page, dice.randrange(1000), f"2026-11-{day:02}")
                for page in pages
                for _ in range(100)
            ]
            fold(LABEL, [visit(*entries)])
        everybody = range(1000)
        fold(LABEL, [visit(*(seen(Page(pk=9), key, "2026-11-20") for key in everybody))])
    some = united(object_id__lte=4)
    assert 600 < some < 800
    assert united() == united(object_id=9) == len(everybody)
    sizes = PageVisitors.objects.filter(object_id__lte=4).values_list("visitors", flat=True)
    assert some < sum(sizes)
    assert UniqueSecret.objects.count() == 1


def test_days_have_secrets_of_their_own() -> None:
    page = a_page()
    fold(LABEL, [visit(*(seen(page, "ana", day) for day in ("2026-11-21", "2026-11-22")))])
    fold(LABEL, [visit(seen(Page(pk=9), "ana"))])
    assert united(collected_during=TODAY) == 1
    assert united() == 2
    assert UniqueSecret.objects.count() == 2


# once


def test_a_batch_counts_once() -> None:
    page = a_page()
    sent = visit(seen(page, "ana"), viewed(page))
    assert fold(LABEL, [sent, sent]) == FoldReport(increments=2, batches=1, duplicate_batches=1)
    assert fold(LABEL, [sent]) == FoldReport(duplicate_batches=1)
    assert (visitors(), counts(PageVisitors)) == ({(page.pk, TODAY): 1}, {(page.pk, TODAY): 1})


def fold_some(pages: list[Page], first: int) -> None:
    for number in range(first, first + 20, 2):
        order = random.Random(number).sample(pages, len(pages))
        keys = range(number, number + 3)
        entries = [seen(page, key) for page in order for key in keys]
        views = [viewed(page) for page in order] if number % 4 else []
        fold(LABEL, [visit(*entries, *views)])


def check_folds_at_the_same_time(fold_some: Callable[[list[Page], int], None]) -> None:
    pages = [a_page(slug) for slug in "abc"]
    firsts = (0, 10, 100, 200)
    in_threads(*(partial(fold_some, pages, first) for first in firsts))
    everybody = {key for first in firsts for key in range(first, first + 21)}
    assert visitors() == {(page.pk, TODAY): len(everybody) for page in pages}
    assert counts(PageVisitors) == {(page.pk, TODAY): 4 * 5 for page in pages}
    assert UniqueSecret.objects.count() == 1


@committing
def test_folds_at_the_same_time_lose_nobody() -> None:
    check_folds_at_the_same_time(fold_some)


@pytest.mark.vendor("mariadb")
@committing
def test_folds_that_see_an_older_state_lose_nobody() -> None:
    def fold_by_snapshots(pages: list[Page], first: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        fold_some(pages, first)

    check_folds_at_the_same_time(fold_by_snapshots)


# the same bytes


def test_what_the_column_has_is_what_was_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen by one fold or by many: the same bytes, where the secret is the same."""
    one, other = Page(pk=1), Page(pk=2)
    keys = range(2000)
    fold(LABEL, [visit(*(seen(one, key) for key in keys))])
    for part in range(0, 2000, 500):
        fold(LABEL, [visit(*(seen(other, key) for key in keys[part : part + 700]))])
    columns = PageVisitors.objects.order_by("object_id").values_list(stored("visitors"), flat=True)
    first, second = map(bytes, columns)
    assert first == second
    assert abs(sketches.estimate(first) - 2000) < 80
