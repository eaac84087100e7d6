"""Records in a fold: each a row, once; those that cannot be are set aside by themselves."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from trackable import conf, counting, records
from trackable.batches import Entry, decode, encode
from trackable.folding import engine
from trackable.folding.engine import fold
from trackable.folding.retry import retry
from trackable.journal import segments
from trackable.messaging import process_messages, send_record
from trackable.models import LedgerEntry, QuarantinedMessage
from trackable_tests.counting import (
    Crash,
    a_page,
    batch,
    emit,
    emit_segment,
    entry,
    fold_until_settled,
    reasons,
    total,
)
from trackable_tests.folding.failing import AFTER, BEFORE, Step, name_of, raising, stop_at
from trackable_tests.tables import for_each
from trackable_tests.test_crashes import STEPS
from trackable_tests.testapp.models import PageTotals, Visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pause")]

VISIT = "testapp.Visit"


def record(**values: Any) -> Entry:
    _, *counter, amount = records.cells_of(VISIT, values)
    return Entry(*counter, amount, 1)  # type: ignore[misc]


def paths() -> list[str]:
    return sorted(Visit.objects.values_list("path", flat=True))


@pytest.mark.django_db(transaction=True)
def test_what_is_emitted_becomes_a_row_by_any_way(broker_url: str | None) -> None:
    for number in range(3):
        assert send_record(None, Visit, {"path": f"/{number}", "number": number})
    assert process_messages() == 3
    assert list(Visit.objects.order_by("path").values_list("path", "number")) == [
        ("/0", 0),
        ("/1", 1),
        ("/2", 2),
    ]


def test_a_batch_is_written_once() -> None:
    sent = batch(Visit, record(number=1))
    fold(VISIT, [sent, sent])
    fold(VISIT, [decode(encode(sent))])
    assert Visit.objects.count() == 1


def test_records_that_say_the_same_are_two() -> None:
    fold(VISIT, [batch(Visit, record(number=1), record(number=1))])
    assert Visit.objects.count() == 2


def test_one_that_cannot_be_written_is_set_aside_alone() -> None:
    bad = [record(path="/2"), record(nothing=1), record(path="/9", number="many")]
    good = [record(path=f"/{number}") for number in range(7)]
    report = fold(VISIT, [batch(Visit, *good[:4], *bad), batch(Visit, *good[4:])])
    assert paths() == [f"/{number}" for number in range(7)]
    assert (report.increments, report.quarantined) == (7, 3)
    assert all(reason.startswith("it cannot be written: ") for reason in reasons())


@pytest.mark.vendor("postgresql")
def test_one_that_is_too_long_for_an_index_is_set_aside_alone() -> None:
    # The database calls that an operational error, as it does a lost connection.
    with connection.schema_editor() as editor:
        editor.execute("ALTER TABLE testapp_visit ALTER COLUMN path TYPE text")
    noise = "".join(random.Random(7).choices(string.ascii_letters, k=6000))
    fold(VISIT, [batch(Visit, record(path=noise), record(path="/"))])
    assert paths() == ["/"]
    assert len(reasons()) == 1


def test_one_that_was_set_aside_can_be_written_later() -> None:
    Visit.objects.create(path="/")
    fold(VISIT, [batch(Visit, record(path="/", number=5))])
    Visit.objects.all().delete()
    report = retry("default", QuarantinedMessage.objects.all())
    assert (report.folded, report.increments) == (1, 1)
    assert Visit.objects.get().number == 5
    assert reasons() == []


@for_each(
    "text, reason",
    [
        ("nonsense", "no JSON"),
        ("[1, {}]", "a record has another shape"),
        ('["a"]', "a record has another shape"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_record_is_set_aside(text: str, reason: str) -> None:
    strange = Entry(records.PARENT, text, records.PERIOD, records.FIELD, 1, 1)
    fold(VISIT, [batch(Visit, strange, record(path="/"))])
    assert paths() == ["/"]
    assert [found[: len(reason)] for found in reasons()] == [reason]


def test_records_and_increments_are_not_taken_for_one_another() -> None:
    fold(VISIT, [batch(Visit, entry(a_page()))])
    fold("testapp.PageTotals", [batch(PageTotals, record(path="/"))])
    assert len(reasons()) == 2
    assert paths() == []
    assert total(PageTotals) == 0


def test_a_database_that_fails_is_no_record_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = raising(OperationalError("gone"), Visit.write_records, times=engine.ATTEMPTS)
    monkeypatch.setattr(Visit, "write_records", failing)
    with pytest.raises(OperationalError):
        fold(VISIT, [batch(Visit, record(path="/"))])
    assert reasons() == []
    assert not LedgerEntry.objects.exists()


def test_a_record_s_line_is_not_kept_for_other_segments() -> None:
    known = counting.KnownLines()
    send_record(None, Visit, {"path": "/"})
    emit(a_page())
    process_messages()
    [segment] = segments.listing(conf.journal_dir(), segments.FOLDED)
    counting.of_segment(segment, known)
    assert len(known) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "step", [step for step in STEPS if step[1] not in ("_subtract", "add")], ids=name_of
)
def test_a_fold_that_is_stopped_is_followed_by_one_that_writes_each_once(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        send_record(None, Visit, {"path": f"/{number}"})
        emit_segment(a_page(f"a{number}"), data_cls=PageTotals)
    with monkeypatch.context() as stopped:
        stop_at(stopped, *step)
        with pytest.raises(Crash):
            process_messages()
    fold_until_settled()
    assert paths() == ["/0", "/1", "/2", "/3"]
    assert total(PageTotals) == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_a_fold_that_dies_at_the_writing_writes_each_once(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_record(None, Visit, {"path": "/"})
    with monkeypatch.context() as stopped:
        stop_at(stopped, Visit, "write_records", 1, when)
        with pytest.raises(Crash):
            process_messages()
    fold_until_settled()
    assert paths() == ["/"]


@pytest.mark.django_db(transaction=True)
def test_the_command_folds_one_class_of_records() -> None:
    send_record(None, Visit, {"path": "/"})
    emit(a_page(), data_cls=PageTotals)
    call_command("fold_trackable_messages", "testapp.Visit", verbosity=0)
    assert paths() == ["/"]
    assert total(PageTotals) == 0
