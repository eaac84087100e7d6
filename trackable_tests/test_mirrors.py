"""Mirrors: they see what a fold adds, once, and cannot harm it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connections
from django.test.utils import CaptureQueriesContext

from trackable import mirrors
from trackable.folding import engine
from trackable.folding.engine import fold
from trackable.folding.retry import retry
from trackable.folding.rows import Row
from trackable.models import QuarantinedMessage
from trackable_tests.counting import a_page, batch, counts, entry, total
from trackable_tests.testapp.models import Page, PageParentTotals, PageTotals, Unregistered

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)


TOTALS = "testapp.PageTotals"
PARENTS = "testapp.PageParentTotals"


def always(label: str) -> bool:
    return True


@pytest.fixture
def seen() -> Iterator[list[tuple[str, str, dict[str, Any]]]]:
    """What a mirror was shown: object, data class and amounts."""
    found: list[tuple[str, str, dict[str, Any]]] = []

    def look(alias: str, data_cls: Any, rows: Sequence[Row]) -> None:
        assert connections[alias].in_atomic_block
        found.extend((row.origin[1], data_cls._meta.label, row.amounts) for row in rows)

    mirrors.mirrors.append((always, look))
    yield found
    mirrors.mirrors.remove((always, look))


def test_a_mirror_sees_what_is_added_once(seen: list[Any]) -> None:
    page = a_page()
    group = [batch(PageTotals, entry(page, amount=5)), batch(PageTotals, entry(page))]
    fold(TOTALS, group)
    fold(TOTALS, group)
    assert seen == [(str(page.pk), TOTALS, {"views": 6})]


def test_a_mirror_does_not_see_what_is_set_aside(seen: list[Any]) -> None:
    page = a_page()
    fold(PARENTS, [batch(PageParentTotals, entry(page), entry(Page(pk=999_999)))])
    assert seen == [(str(page.pk), PARENTS, {"views": 1})]


def test_a_mirror_sees_what_is_folded_out_of_the_quarantine(seen: list[Any]) -> None:
    page = a_page()
    sent = batch(PageParentTotals, entry(page))
    Page.objects.filter(pk=page.pk).delete()
    fold(PARENTS, [sent])
    Page.objects.create(pk=page.pk, title="", slug="late")
    retry("default", QuarantinedMessage.objects.all())
    assert seen == [(str(page.pk), PARENTS, {"views": 1})]


def test_a_mirror_that_fails_undoes_its_own_work_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fail(alias: str, *_: Any) -> None:
        Unregistered.objects.using(alias).create(title="a mirror's")
        raise ValueError("it is broken")

    page = a_page()
    mirrors.mirrors.append((always, fail))
    try:
        fold(TOTALS, [batch(PageTotals, entry(page))])
    finally:
        mirrors.mirrors.remove((always, fail))
    assert counts(PageTotals) == {page.pk: 1}
    assert not Unregistered.objects.exists()
    assert "has not seen what was added" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_mirror_without_its_table_holds_the_fold_up() -> None:
    def ask(alias: str, *_: Any) -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT * FROM nothing_of_that_name")

    page = a_page()
    mirrors.mirrors.append((always, ask))
    try:
        with pytest.raises(DatabaseError):
            fold(TOTALS, [batch(PageTotals, entry(page))])
    finally:
        mirrors.mirrors.remove((always, ask))
    assert total(PageTotals) == 0


@pytest.mark.django_db(transaction=True)
def test_what_a_mirror_writes_goes_with_a_fold_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(alias: str, *_: Any) -> None:
        Unregistered.objects.using(alias).create(title="a mirror's")

    def fail(*_: Any) -> None:
        raise OperationalError("the connection is gone")

    page = a_page()
    mirrors.mirrors.append((always, write))
    monkeypatch.setattr(engine.quarantine, "put", fail)
    try:
        with pytest.raises(OperationalError):
            fold(TOTALS, [batch(PageTotals, entry(page))])
    finally:
        mirrors.mirrors.remove((always, write))
    assert total(PageTotals) == 0
    assert not Unregistered.objects.exists()


def test_a_mirror_whose_connection_fails_undoes_the_fold() -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("the connection is gone")

    mirrors.mirrors.append((always, fail))
    try:
        with pytest.raises(OperationalError):
            fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    finally:
        mirrors.mirrors.remove((always, fail))
    assert total(PageTotals) == 0


def test_a_mirror_that_does_not_want_a_class_costs_it_nothing(
    django_assert_num_queries: Any,
) -> None:
    page = a_page()
    with CaptureQueriesContext(connections["default"]) as before:
        fold(TOTALS, [batch(PageTotals, entry(page))])
    wish = (lambda label: label == PARENTS), raising_mirror
    mirrors.mirrors.append(wish)
    try:
        with django_assert_num_queries(len(before)):
            fold(TOTALS, [batch(PageTotals, entry(page))])
    finally:
        mirrors.mirrors.remove(wish)


def raising_mirror(*_: Any) -> None:
    raise AssertionError("nobody wanted this")
