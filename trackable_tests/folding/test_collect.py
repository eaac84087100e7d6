"""Collecting: everything that waits, in groups, whatever becomes of one of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import Error, OperationalError, connection

from trackable import conf, settling, shipping
from trackable.batches import Batch, batch_id
from trackable.broker import Broker, Claim
from trackable.exceptions import BrokerUnavailable
from trackable.folding import collect as collecting
from trackable.folding import engine
from trackable.folding.collect import collect
from trackable.journal import segments, tally
from trackable.journal.segments import FOLDED, SEALED
from trackable.messaging import process_messages
from trackable_tests.counting import (
    a_page,
    batch,
    counts,
    emit,
    emit_segment,
    entry,
    reasons,
    through_brokers,
    total,
)
from trackable_tests.testapp.models import PageData, PageParentTotals, PageTotals

pytestmark = pytest.mark.django_db


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The folds that are done: the data class, and the number of batches."""
    seen: list[tuple[str, int]] = []

    def fold(label: str, group: list[Any]) -> engine.FoldReport:
        seen.append((label, len(group)))
        return engine.fold(label, group)

    monkeypatch.setattr(collecting, "fold", fold)
    return seen


def states() -> list[str]:
    return [segment.state for segment in segments.listing(conf.journal_dir())]


def test_nothing_waits_at_first(broker_url: str | None) -> None:
    assert collect() == engine.FoldReport()


def test_what_this_process_has_open_is_folded() -> None:
    page = a_page()
    emit(page)
    assert (collect().increments, states()) == (1, [FOLDED])


def test_many_segments_are_one_fold(groups: list[tuple[str, int]]) -> None:
    page = a_page()
    for _ in range(5):
        emit_segment(page, times=3)
    assert collect().increments == 15
    assert groups == [("testapp.PageData", 5)]


def test_a_group_is_bounded_by_its_counters(groups: list[tuple[str, int]], settings: Any) -> None:
    settings.TRACKABLE_FOLD_MAX_COUNTERS = 2
    for name in "abcde":
        emit_segment(a_page(name))
    assert collect().increments == 5
    assert [number for _, number in groups] == [2, 2, 1]


def test_a_group_is_bounded_by_its_entries(
    groups: list[tuple[str, int]], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACKABLE_FOLD_MAX_COUNTERS = 2
    monkeypatch.setattr("trackable.folding.collect.ENTRIES_PER_COUNTER", 2)
    page = a_page()
    for _ in range(5):
        emit_segment(page)
    assert collect().increments == 5
    assert [number for _, number in groups] == [2, 2, 1]


def test_each_class_is_a_fold_of_its_own(groups: list[tuple[str, int]]) -> None:
    page = a_page()
    for _ in range(2):
        emit(page, data_cls=PageTotals)
        emit_segment(page, data_cls=PageParentTotals)
    collect()
    assert sorted(groups) == [("testapp.PageParentTotals", 2), ("testapp.PageTotals", 2)]


def test_several_classes_can_be_asked_for(broker_url: str | None) -> None:
    page = a_page()
    for data_cls in (PageData, PageTotals, PageParentTotals):
        emit(page, data_cls=data_cls)
    assert collect([PageData, PageTotals]).increments == 2
    assert (total(PageParentTotals), collect().increments) == (0, 1)


def test_a_class_without_its_table_does_not_block_the_others(broker_url: str | None) -> None:
    def miss(execute: Any, sql: str, *rest: Any) -> Any:
        return execute(sql.replace("testapp_pagetotals", "nowhere"), *rest)

    page = a_page()
    for data_cls in (PageData, PageTotals, PageParentTotals):
        emit(page, data_cls=data_cls)
    with connection.execute_wrapper(miss), pytest.raises(Error):
        collect()
    assert (total(PageData), total(PageParentTotals)) == (1, 1)
    assert (collect().increments, total(PageTotals)) == (1, 1)


def test_the_groups_of_a_class_that_fails_wait(
    broker_url: str | None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TRACKABLE_FOLD_MAX_COUNTERS = 1
    page = a_page()
    for _ in range(2):
        emit(page, data_cls=PageTotals)
        emit_segment(page, data_cls=PageParentTotals)
    folds = []

    def failing(label: str, group: list[Any]) -> engine.FoldReport:
        folds.append(label)
        if label == "testapp.PageTotals":
            raise ValueError("nobody has thought of this")
        return engine.fold(label, group)

    with monkeypatch.context() as changed:
        changed.setattr(collecting, "fold", failing)
        with pytest.raises(ValueError, match="thought"):
            collect()
    assert folds.count("testapp.PageTotals") == 1
    assert total(PageParentTotals) == 2
    assert (collect().increments, total(PageTotals)) == (2, 2)


def test_an_ack_that_fails_is_logged_and_recognised(caplog: pytest.LogCaptureFixture) -> None:
    class Message:
        def ack(self) -> None:
            raise ConnectionError("gone")

    with caplog.at_level(logging.WARNING):
        Claim(batch(PageTotals), Message()).ack()
    assert "is folded, its ack failed: gone" in caplog.text


@through_brokers
def test_batches_of_a_class_that_is_gone_are_set_aside(broker_url: str) -> None:
    page = a_page()
    gone = Batch.of(batch_id(segments.new_id(), "x"), "testapp.Gone", (entry(page),))
    with Broker() as sender:
        sender.publish(gone)
        sender.publish(batch(PageTotals, entry(page)))
    assert process_messages() == 1
    assert reasons() == ["there is no data class 'testapp.Gone'"]


@through_brokers
def test_what_is_folded_is_acknowledged(broker_url: str) -> None:
    emit(a_page())
    process_messages()
    with Broker() as source:
        assert source.depth("testapp.PageData") == 0
        assert source.claim("testapp.PageData") is None


@through_brokers
def test_segments_leave_once_the_ledger_shows_them(broker_url: str, settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_RETENTION = 0
    emit(a_page())
    seen = [states()]
    for _ in range(3):
        process_messages()
        seen.append(states())
    assert seen == [[segments.OPEN], [FOLDED], [], []]
    assert total(PageData) == 1


def test_segments_of_the_embedded_journal_leave_as_well(settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_RETENTION = 0
    emit(a_page())
    process_messages()
    assert states() == [FOLDED]
    process_messages()
    assert states() == []


def test_a_fold_without_waiting_leaves_other_processes_their_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(
        shipping, "flush", lambda directory, *, wait_seconds: waits.append(wait_seconds)
    )
    collect(wait=False)
    collect()
    assert waits == [0.0, pytest.approx(2.0)]


def test_a_broker_that_is_away_is_an_error_and_nothing_is_lost(settings: Any) -> None:
    settings.TRACKABLE_FLUSH_INTERVAL = 0.01
    settings.TRACKABLE_BROKER_TIMEOUT = 0.2
    settings.TRACKABLE_BROKER_URL = "redis://127.0.0.1:1/0"
    page = a_page()
    emit(page, times=2)
    with pytest.raises(BrokerUnavailable):
        collect(wait=False)
    assert states() == [SEALED]
    settings.TRACKABLE_BROKER_URL = None
    assert (collect().increments, list(counts(PageData).values())) == (2, [2])


@pytest.mark.parametrize("answers", [True, False])
def test_a_database_that_is_away_is_not_asked_for_each_class_anew(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, asked = a_page(), []
    classes = [PageData, PageTotals, PageParentTotals]
    for data_cls in classes:
        emit(page, data_cls=data_cls)

    def fail(label: str, group: list[Any]) -> engine.FoldReport:
        asked.append(label)
        raise OperationalError("gone")

    with monkeypatch.context() as patches:
        patches.setattr(collecting, "fold", fail)
        patches.setattr(collecting, "_answers", lambda alias: answers)
        with pytest.raises(OperationalError, match="gone"):
            collect()
    assert len(asked) == (3 if answers else 1)
    assert collect().increments == 3


def test_what_is_folded_is_told_whatever_fails_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("gone")

    emit(a_page(), times=3)
    monkeypatch.setattr(settling, "settle", fail)
    with pytest.raises(OperationalError, match="gone"):
        collect()
    found = tally.read(conf.journal_dir())
    assert (found["folded"], found["folds"], found["fold_increments"]) == (3, 1, 3)


def test_a_database_answers_if_it_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert collecting._answers("default")
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    assert not collecting._answers("default")


def test_a_segment_that_another_fold_has_settled_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emit_segment(a_page())
    real: Callable[..., Any] = segments.listing
    listed = real(conf.journal_dir(), SEALED)
    collect()
    monkeypatch.setattr(segments, "listing", lambda directory, *wanted: listed)
    assert collect() == engine.FoldReport()
