"""Visitors that cannot be folded are set aside, together, and nothing else with them."""

from __future__ import annotations

import sys
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import isolate_apps

from trackable.exceptions import MissingLibrary
from trackable.folding.engine import fold
from trackable.folding.rows import Row
from trackable.messaging import process_messages
from trackable.models import QuarantinedMessage, TrackableData
from trackable.uniques import UniqueCount, rotations, sketches, writing
from trackable.uniques.fields import uniques_of
from trackable_tests.counting import a_page, batch, counts, emit, entry, reasons
from trackable_tests.folding.aside import again, appear, long_ago
from trackable_tests.testapp.models import Page, PageReaders, PageTotals, PageVisitors
from trackable_tests.uniques.seeing import DAY, LABEL, see, seen, viewed, visit, visitors

pytestmark = pytest.mark.django_db

TODAY = date.fromisoformat(DAY)


def test_visitors_that_do_not_fit_are_set_aside_together() -> None:
    page = a_page()
    unknown = [seen(page, key, field="readers") for key in range(5)]
    malformed = entry(page, "visitors:ana", period=DAY)
    counter = [seen(page, key, field="views") for key in range(3)]
    sound = [seen(page, "ana"), viewed(page)]
    report = fold(LABEL, [visit(*unknown, malformed, *counter, *sound)])
    assert (report.increments, report.quarantined) == (2, 3)
    aside = QuarantinedMessage.objects.order_by("increments")
    assert [each.increments for each in aside] == [1, 3, 5]
    told = " ".join(each.reason for each in aside)
    for part in ("no distinct count 'readers'", "no distinct count 'views'", "no pseudonym"):
        assert part in told
    assert (visitors(), counts(PageVisitors)) == ({(page.pk, TODAY): 1}, {(page.pk, TODAY): 1})


def test_every_day_that_there_is_has_visitors() -> None:
    days = ["0001-01-01", "1969-12-31", "9999-12-31"]
    assert fold(LABEL, [visit(*(seen(Page(pk=1), "ana", day) for day in days))]).increments == 3
    assert list(visitors().values()) == [1, 1, 1]


def test_visitors_of_a_class_without_such_a_count_are_set_aside() -> None:
    sent = batch(PageTotals, seen(a_page(), "ana", ""))
    assert fold("testapp.PageTotals", [sent]).quarantined == 1
    assert not PageTotals.objects.exists()
    assert "its distinct counts are none" in reasons()[0]


def test_thousands_that_do_not_fit_are_few_messages() -> None:
    page = a_page()
    fold(LABEL, [visit(*(seen(page, key, "no day") for key in range(3000)))])
    [aside] = QuarantinedMessage.objects.all()
    assert aside.increments == 3000


def test_what_is_mended_is_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = a_page()
    entries = [seen(page, key, field="visitors") for key in ("ana", "ben")]
    with monkeypatch.context() as patched:
        patched.setattr(rotations, "uniques_of", lambda _: uniques_of(PageTotals))
        assert fold(LABEL, [visit(*entries, viewed(page))]).quarantined == 1
    fold(LABEL, [visit(seen(page, "ana"))])
    assert again().increments == 2
    assert (visitors(), counts(PageVisitors)) == ({(page.pk, TODAY): 2}, {(page.pk, TODAY): 1})
    assert reasons() == []


def test_an_overflow_does_not_keep_visitors_out() -> None:
    page = a_page()
    fold(LABEL, [visit(viewed(page))])
    PageVisitors.objects.update(views=2**32 - 1 if connection.vendor == "mysql" else 2**31 - 1)
    report = fold(LABEL, [visit(seen(page, "ana"), viewed(page, 1), seen(Page(pk=9), "ana"))])
    assert (report.increments, report.quarantined) == (2, 1)
    assert visitors() == {(page.pk, TODAY): 1, (9, TODAY): 1}


def test_a_broken_column_is_one_rows_alone() -> None:
    page, other = a_page("one"), a_page("other")
    fold(LABEL, [visit(seen(page, "ana"), viewed(page))])
    PageVisitors.objects.update(visitors=b"broken")
    fold(LABEL, [visit(seen(page, "ben"), viewed(page), seen(other, "ben"))])
    assert counts(PageVisitors) == {(page.pk, TODAY): 2, (other.pk, TODAY): 0}
    assert "no sketch of a distinct count" in reasons()[0]
    PageVisitors.objects.filter(object_id=page.pk).update(visitors=b"")
    assert again().increments == 1
    assert visitors() == {(page.pk, TODAY): 1, (other.pk, TODAY): 1}


@isolate_apps("trackable_tests.testapp")
def test_a_broken_column_keeps_visitors_out_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class TwoCounts(TrackableData):
        broken = UniqueCount()
        sound = UniqueCount()

        class Meta:
            app_label = "testapp"

    written: list[Any] = []
    monkeypatch.setattr(writing, "_write", lambda *found: written.extend(found[-1]))
    row = Row((), {}, ("", "", ""), {}, seen={"sound": [1, 2]})
    writing._update(SimpleNamespace(data_cls=TwoCounts, key=[]), [(row, (7, b"no sketch", b""))])  # type: ignore[arg-type]
    [changed] = written
    assert (changed.pk, bytes(changed.broken)) == (7, b"no sketch")
    assert sketches.estimate(bytes(changed.sound)) == 2


def test_without_the_library_everything_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = a_page()
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "datasketches", None)
        see(page, "ana")
        emit(page, data_cls=PageTotals)
        with pytest.raises(MissingLibrary):
            process_messages()
    assert counts(PageTotals) == {page.pk: 1}
    assert (visitors(), reasons()) == ({}, [])
    assert process_messages() == 1
    assert visitors() == {(page.pk, TODAY): 1}


def test_what_is_older_than_the_ledger_is_left_to_people() -> None:
    sent = long_ago(visit(seen(a_page(), "ana")))
    assert fold(LABEL, [sent]).quarantined == 1
    assert again(older_than_ledger=True).increments == 1
    assert list(visitors().values()) == [1]


def test_visitors_of_an_object_that_is_gone_are_set_aside_together() -> None:
    page, gone = a_page(), Page(pk=999_999)
    entries = [seen(each, key, "", "readers") for each in (page, gone) for key in range(20)]
    assert fold("testapp.PageReaders", [batch(PageReaders, *entries)]).quarantined == 1
    assert [row.readers for row in PageReaders.objects.all()] == [20]
    assert reasons() == ["its object does not exist"]
    appear(gone.pk)
    assert again().increments == 20
    assert [row.readers for row in PageReaders.objects.all()] == [20, 20]
