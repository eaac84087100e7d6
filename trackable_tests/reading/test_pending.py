"""What was emitted on this machine and is not folded yet can be read with the rows."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from trackable import conf, counting, shipping
from trackable.exceptions import BadSum
from trackable.folding.collect import collect
from trackable.folding.engine import fold
from trackable.journal import segments, writer
from trackable.journal.segments import OPEN, SEALED, SHIPPED
from trackable.messaging import process_messages, send_decrement_message, send_unique_message
from trackable.reading import pending, windows
from trackable.testing import capture
from trackable_tests.counting import a_page, emit, emit_segment, reasons
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Page,
    PageData,
    PageHours,
    PageParentData,
    PageTotals,
    PageVisitors,
)

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = NOON.date()


@pytest.fixture
def page() -> Page:
    return a_page()


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "today", lambda: DAY)


def total(obj: Any, field: str = "views", data_cls: Any = PageData) -> Any:
    return data_cls.objects.for_object(obj).total(field, include_pending=True)


def states() -> list[str]:
    return [segment.state for segment in segments.listing(conf.journal_dir())]


def test_what_waits_counts_once_before_and_after_the_fold(page: Page) -> None:
    emit_segment(page, when=NOON, times=2)
    emit(page, when=NOON, times=3)
    assert states() == [SEALED, OPEN]
    assert PageData.objects.for_object(page).total("views") == 0
    assert total(page) == 5
    process_messages()
    emit(page, when=NOON)
    assert PageData.objects.for_object(page).total("views") == 5
    assert total(page) == 6


def test_open_segment_is_read_again_as_it_grows(page: Page) -> None:
    found = []
    for _ in range(3):
        emit(page)
        found.append(total(page))
    assert found == [1, 2, 3]


def test_only_the_asked_for_objects_times_and_counters_are_in_it(page: Page) -> None:
    other, download = a_page("b"), Download.objects.create()
    emit(page, when=NOON)
    emit(page, "clicks", 2, when=NOON)
    emit(page, "views", 4, when=NOON.replace(day=20))
    emit(other, "views", 8, when=NOON)
    emit(page, "views", 16, data_cls=PageTotals)
    emit(download, "views", 32)
    rows = PageData.objects.for_object(page).between(DAY, DAY)
    assert rows.total("views", include_pending=True) == 1
    assert PageData.objects.total("views", include_pending=True) == 13
    assert total(page, data_cls=PageTotals) == 16
    assert total(download, data_cls=DownloadData) == 32
    assert total(page, "clicks") == 2


def test_series_has_it_in_its_steps(page: Page) -> None:
    PageHours.objects.create(parent=page, collected_during=NOON, views=1)
    for hour in (10, 12, 23):
        emit(page, "views", 2, data_cls=PageHours, when=NOON.replace(hour=hour))
    rows = PageHours.objects.for_object(page)
    hours = rows.series("views", start=DAY, end=DAY, include_pending=True)
    assert {point.start.hour: point.value for point in hours if point.value} == {  # type: ignore[union-attr]
        10: 2,
        12: 3,
        23: 2,
    }
    [day] = rows.series("views", by="day", end=DAY, include_pending=True)
    assert (day.start, day.value) == (DAY, 7)
    narrow = rows.between(NOON, NOON.replace(hour=13))
    assert narrow.series("views", by="day", include_pending=True)[0].value == 3


def test_series_begins_with_what_waits_if_there_is_nothing_else(page: Page) -> None:
    emit(page, when=NOON.replace(day=20))
    points = PageData.objects.for_object(page).series("views", include_pending=True)
    assert [(point.start, point.value) for point in points] == [
        (date(2026, 11, 20), 1),
        (DAY, 0),
    ]


def test_decrements_stop_at_zero_as_in_a_fold(page: Page) -> None:
    PageData.objects.create(parent=page, collected_during=DAY, views=2, score=2)
    PageData.objects.create(parent=page, collected_during=date(2026, 11, 1), views=10)
    for name in ("views", "score"):
        send_decrement_message(None, page, name, options={"value": 5, "when": NOON})
    send_decrement_message(None, page, "views", options={"when": NOON.replace(day=2)})
    before = [total(page, name) for name in ("views", "score")]
    process_messages()
    assert before == [total(page, name) for name in ("views", "score")] == [10, -3]


def test_amounts_keep_their_types(page: Page) -> None:
    emit(page, "revenue", Decimal("0.10"), times=3)
    emit(page, "seconds", 0.5)
    assert [str(total(page, name)) for name in ("revenue", "seconds")] == ["0.30", "0.5"]


def test_what_a_fold_would_set_aside_is_not_counted(page: Page) -> None:
    gone = a_page("gone")
    emit(gone, data_cls=PageParentData)
    emit(page, data_cls=PageParentData)
    Page.objects.filter(pk=gone.pk).delete()
    assert PageParentData.objects.total("views", include_pending=True) == 1
    process_messages()
    assert len(reasons()) == 1


def test_distinct_counts_are_united_with_who_waits(page: Page) -> None:
    def visit(key: str) -> None:
        assert send_unique_message(None, page, "visitors", key=key, data_cls=PageVisitors)

    visit("a")
    process_messages()
    visit("a")
    visit("b")
    assert PageVisitors.objects.for_object(page).total("visitors") == 1
    assert total(page, "visitors", PageVisitors) == 2


def test_other_conditions_are_refused(page: Page) -> None:
    emit(page)
    rows = PageData.objects.all()
    either = rows.for_object(page) | rows.for_object(a_page("b"))
    for narrowed in (rows.filter(views__gt=1), rows[:1], page.parent_data, either):
        with pytest.raises(BadSum, match="for_object"):
            narrowed.total("views", include_pending=True)
    assert (
        PageData.objects.using("default")
        .for_object(page)
        .between(None, DAY)
        .order_by("views")
        .series("views", include_pending=True)
    )


def test_times_and_objects_that_exclude_each_other_have_nothing(page: Page) -> None:
    emit(page, when=NOON)
    rows = PageData.objects.all()
    nothing = [
        rows.between(None, date(2026, 11, 20)).between(DAY),
        rows.between(DAY, DAY).between(None, date(2026, 11, 20)).between(),
        rows.for_object(page).for_object(a_page("b")),
        rows.for_object(a_page("c")).for_object(page),
    ]
    assert [each.total("views", include_pending=True) for each in nothing] == [0] * 4


def test_a_fold_in_the_middle_has_the_query_repeated(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit_segment(page, times=3)
    label = PageData._meta.label
    [segment] = segments.listing(conf.journal_dir())
    [batch] = counting.of_segment(segment)
    real, folds = pending.Source._pending, [lambda: fold(label, [batch])]

    def interrupted(source: Any, batches: Any) -> Any:
        while folds:
            folds.pop()()
        return real(source, batches)

    monkeypatch.setattr(pending.Source, "_pending", interrupted)
    assert total(page) == 3


def test_a_segment_that_goes_meanwhile_is_passed_over_or_found(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit(page)
    [opened] = segments.listing(conf.journal_dir())
    writer.seal()
    monkeypatch.setattr(segments, "listing", lambda *_: [opened])
    assert total(page) == 1
    os.unlink(opened.directory / (opened.id + SEALED))
    pending._known.clear()
    assert total(page) == 0


def test_reading_an_open_segment_leaves_no_trace_of_what_it_had_then(page: Page) -> None:
    """Ids that were remembered of half a segment would let the other half be lost."""
    emit(page)
    assert total(page) == 1
    emit(page, data_cls=PageTotals)
    writer.seal()
    [segment] = segments.listing(conf.journal_dir(), SEALED)
    labels = [label for label, _ in counting.batch_ids(segment.directory, segment.id)]
    assert labels == ["testapp.PageData", "testapp.PageTotals"]


def test_half_a_line_at_the_end_waits(page: Page) -> None:
    emit(page)
    [segment] = segments.listing(conf.journal_dir())
    with segment.path.open("ab") as file:
        file.write(b"0000")
    assert total(page) == 1


def test_what_is_sent_and_not_folded_waits(real_broker_url: str, page: Page) -> None:
    emit_segment(page, times=2)
    shipper = shipping.Shipper(conf.journal_dir())
    assert shipper.ship()
    shipper.close()
    assert (states(), total(page)) == ([SHIPPED], 2)
    collect()
    assert PageData.objects.for_object(page).total("views") == total(page) == 2


def test_in_tests_it_is_what_the_outbox_has(page: Page) -> None:
    with capture() as outbox:
        emit(page, times=2)
        assert total(page) == 2
        outbox.fold()
        assert total(page) == 2
    assert states() == []


def test_sealed_segments_are_read_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    emit_segment(page)
    assert total(page) == 1
    monkeypatch.setattr(counting, "of_part", None)
    assert total(page) == 1
    monkeypatch.undo()
    monkeypatch.setattr(pending, "MAX_KNOWN_COUNTERS", 1)
    emit_segment(page)
    assert total(page) == 2
    assert len(pending._known) == 1
