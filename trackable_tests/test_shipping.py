"""Shipping: from sealed segments to the broker, and out of the journal."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import OperationalError, connections

from trackable import alarms, batches, counting, settling, shipping
from trackable.batches import Batch
from trackable.exceptions import BrokerRefused, BrokerUnavailable
from trackable.folding.engine import fold
from trackable.journal import files, lines, segments, writer
from trackable.journal.segments import FOLDED, OPEN, SEALED, SHIPPED, Segment
from trackable.models import LedgerEntry
from trackable.shipping import Shipper

LABEL = "testapp.PageTotals"
HOUR = 3600.0


class FakeBroker:
    """Takes batches, or is away."""

    def __init__(self) -> None:
        self.published: list[Batch] = []
        self.is_away = False

    def publish(self, batch: Batch) -> None:
        if self.is_away:
            raise BrokerUnavailable("Connection refused")
        self.published.append(batch)

    def close(self) -> None:
        pass


@pytest.fixture
def directory(settings: Any) -> Iterator[Path]:
    settings.TRACKABLE_BROKER_URL = "redis://127.0.0.1:1/0"
    yield Path(settings.TRACKABLE_JOURNAL_DIR)
    writer.close()


@pytest.fixture
def shipper(directory: Path) -> Iterator[Shipper]:
    subject = Shipper(directory)
    subject._broker = FakeBroker()  # type: ignore[assignment]
    yield subject
    subject.close()


@pytest.fixture
def mails(admins: None, mails_at_once: None) -> None:
    """There is somebody to mail to."""


@pytest.fixture
def seal(directory: Path) -> Callable[..., Segment]:
    def sealed(*labels: str) -> Segment:
        segment, fd = segments.create(directory)
        for label in labels or (LABEL,):
            os.write(fd, lines.encode(label, "testapp.Page", "1", "", "views", 1))
        found = segments.seal(segment, fd)
        assert found is not None
        return found

    return sealed


def pass_a_minute(directory: Path) -> None:
    for marker in directory.glob("*.outage"):
        os.utime(marker, (time.time() - 61, time.time() - 61))


def states(directory: Path) -> list[str]:
    return [segment.state for segment in segments.listing(directory)]


def published(shipper: Shipper) -> list[Batch]:
    return shipper._broker.published  # type: ignore[attr-defined,no-any-return]


def be_away(shipper: Shipper, is_away: bool = True) -> None:
    shipper._broker.is_away = is_away  # type: ignore[attr-defined]


def test_each_class_of_a_segment_is_one_message(shipper: Shipper, seal: Any) -> None:
    segment = seal("a.A", "b.B", "a.A")
    assert shipper.ship()
    assert [(b.id, b.data_class, b.hits) for b in published(shipper)] == [
        (batches.batch_id(segment.id, "a.A"), "a.A", 2),
        (batches.batch_id(segment.id, "b.B"), "b.B", 1),
    ]
    assert states(shipper.directory) == [SHIPPED]


def test_what_is_shipped_is_not_shipped_again(shipper: Shipper, seal: Any) -> None:
    seal()
    shipper.ship()
    shipper.ship()
    assert len(published(shipper)) == 1


def test_with_the_broker_away_segments_stay(shipper: Shipper, seal: Any) -> None:
    seal()
    be_away(shipper)
    assert not shipper.ship()
    assert states(shipper.directory) == [SEALED]


def test_attempts_become_rarer_and_resume(
    shipper: Shipper, seal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(shipping.time, "monotonic", lambda: now[0])
    seal()
    be_away(shipper)
    for expected in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        shipper.ship()
        assert shipper._next_attempt - now[0] == expected
        now[0] = shipper._next_attempt
    be_away(shipper, False)
    assert shipper.ship()
    assert states(shipper.directory) == [SHIPPED]


def test_an_outage_is_mailed_once_and_its_end_logged(
    shipper: Shipper,
    seal: Any,
    settings: Any,
    admins: None,
    mails_at_once: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.TRACKABLE_CAPTURE_CONNECTION_ERRORS = True
    seal()
    be_away(shipper)
    for _ in range(3):
        shipper._next_attempt = 0.0
        shipper.ship()
    be_away(shipper, False)
    pass_a_minute(shipper.directory)
    shipper._next_attempt = 0.0
    shipper.ship()
    assert len(mail.outbox) == 1
    assert "outage is over" in caplog.messages[-1]


def test_an_outage_that_another_process_noticed_ends_too(
    shipper: Shipper, seal: Any, directory: Path
) -> None:
    alarms.sound(directory, alarms.BROKER, "away")
    pass_a_minute(directory)
    shipper.ship()
    assert (directory / "broker.outage").exists()
    seal()
    shipper.ship()
    assert not (directory / "broker.outage").exists()


def test_one_process_of_the_machine_ships(shipper: Shipper, seal: Any, directory: Path) -> None:
    seal()
    other = Shipper(directory)
    assert other.lock.acquire()
    assert not shipper.ship()
    other.close()
    assert shipper.ship()


def test_a_shipper_that_hangs_is_overtaken(shipper: Shipper, seal: Any, directory: Path) -> None:
    seal()
    stopped = Shipper(directory)
    assert stopped.lock.acquire()
    long_ago = (time.time() - 31, time.time() - 31)
    for segment in segments.listing(directory, SEALED):
        os.utime(segment.path, long_ago)
    assert not shipper.ship()
    os.utime(stopped.lock.path, long_ago)
    assert shipper.ship()
    assert states(directory) == [SHIPPED]
    stopped.close()


def test_a_segment_that_cannot_be_read_holds_up_no_other(
    shipper: Shipper, seal: Any, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, free = seal(), seal()
    real = Segment.read

    def read(segment: Segment) -> bytes:
        if segment.id == locked.id:
            raise PermissionError(13, "Permission denied")
        return real(segment)

    monkeypatch.setattr(Segment, "read", read)
    assert shipper.ship()
    found = {segment.id: segment.state for segment in segments.listing(directory)}
    assert found == {locked.id: SEALED, free.id: SHIPPED}


def test_a_class_that_the_broker_refuses_holds_up_no_other(shipper: Shipper, seal: Any) -> None:
    refused, accepted = seal("a.A"), seal("b.B")
    publish = shipper._broker.publish

    def refuse(batch: Batch) -> None:
        if batch.data_class == "a.A":
            raise BrokerRefused("PRECONDITION_FAILED")
        publish(batch)

    shipper._broker.publish = refuse  # type: ignore[method-assign]
    shipper.ship()
    found = {segment.id: segment.state for segment in segments.listing(shipper.directory)}
    assert found == {refused.id: SEALED, accepted.id: SHIPPED}


def test_while_one_class_is_refused_its_neighbours_are_not_sent_again_and_again(
    shipper: Shipper, seal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal("a.A", "b.B")
    asked, refusing = [], ["a.A"]

    def publish(batch: Batch) -> None:
        asked.append(batch.data_class)
        if batch.data_class in refusing:
            raise BrokerRefused("PRECONDITION_FAILED")

    shipper._broker.publish = publish  # type: ignore[method-assign]
    for _ in range(5):
        shipper.ship()
    assert asked == ["a.A", "b.B"]
    refusing.clear()
    monkeypatch.setattr(shipping, "LONGEST_PAUSE_SECONDS", 0.0)
    shipper.ship()
    assert (asked, states(shipper.directory)) == (["a.A", "b.B", "a.A"], [SHIPPED])
    assert shipper._taken_at == {}


def test_shipping_stops_at_its_deadline(shipper: Shipper, seal: Any) -> None:
    seal()
    assert not shipper.ship(deadline=time.monotonic() - 1)
    assert published(shipper) == []


def test_damaged_lines_are_logged_and_their_neighbours_read(
    seal: Any, caplog: pytest.LogCaptureFixture
) -> None:
    segment = seal()
    content = segment.read()
    segment.path.write_bytes(content + b"x" + content + content)
    batch, damaged = shipping.read(segment)
    assert (batch.hits, damaged.damaged) == (3, 1)
    assert "1 damaged lines" in caplog.text


# settling


def folded(segment: Segment) -> None:
    for batch in shipping.read(segment):
        fold(batch.data_class, [batch])


@pytest.mark.django_db
def test_a_segment_that_the_ledger_shows_is_folded(directory: Path, seal: Any) -> None:
    shown, hidden = seal().become(SHIPPED), seal().become(SHIPPED)
    folded(shown)
    settling.settle(directory, time.time())
    found = {segment.id: segment.state for segment in segments.listing(directory)}
    assert found == {shown.id: FOLDED, hidden.id: SHIPPED}


@pytest.mark.django_db
def test_a_segment_is_folded_once_all_its_classes_are(directory: Path, seal: Any) -> None:
    segment = seal(LABEL, "testapp.PageHours")
    first, second = shipping.read(segment)
    fold(first.data_class, [first])
    settling.settle(directory, time.time())
    assert states(directory) == [SEALED]
    fold(second.data_class, [second])
    settling.settle(directory, time.time())
    assert states(directory) == [FOLDED]


@pytest.mark.django_db
def test_a_folded_segment_is_removed_after_its_retention(directory: Path, seal: Any) -> None:
    folded(seal())
    now = time.time()
    settling.settle(directory, now)
    settling.settle(directory, now + 590)
    assert states(directory) == [FOLDED]
    settling.settle(directory, now + 610)
    assert states(directory) == []


@pytest.mark.django_db
def test_a_segment_that_the_ledger_has_lost_is_sent_again(directory: Path, seal: Any) -> None:
    folded(seal())
    settling.settle(directory, time.time())
    LedgerEntry.objects.all().delete()
    settling.settle(directory, time.time() + 610)
    assert states(directory) == [SEALED]


@pytest.mark.django_db(databases=["default", "other"])
def test_a_database_that_is_away_keeps_only_its_own_from_being_settled(
    directory: Path, seal: Any, settings: Any
) -> None:
    settings.TEST_DATABASE_OF = {"testapp.PageHours": "other"}
    shown, unknown = seal("testapp.PageTotals"), seal("testapp.PageHours")
    folded(shown)

    def be_away(*_: Any) -> None:
        raise OperationalError("it is away")

    with connections["other"].execute_wrapper(be_away), pytest.raises(OperationalError):
        settling.settle(directory, time.time() + HOUR)
    found = {segment.id: segment.state for segment in segments.listing(directory)}
    assert found == {shown.id: FOLDED, unknown.id: SEALED}


@pytest.mark.django_db
def test_what_is_not_folded_in_time_is_sent_again_under_its_id(
    directory: Path, shipper: Shipper, seal: Any
) -> None:
    seal()
    shipper.ship()
    settling.settle(directory, time.time() + HOUR - 10)
    shipper.ship()
    assert len(published(shipper)) == 1
    settling.settle(directory, time.time() + HOUR + 10)
    shipper.ship()
    first, second = published(shipper)
    assert first == second


@pytest.mark.django_db
def test_retention_ends_early_where_the_journal_has_no_room(
    directory: Path, seal: Any, settings: Any
) -> None:
    kept, older = seal(), seal()
    folded(older)
    settings.TRACKABLE_JOURNAL_MAX_BYTES = kept.size_bytes()
    settling.settle(directory, time.time())
    assert [(s.id, s.state) for s in segments.listing(directory)] == [(kept.id, SEALED)]


@pytest.mark.django_db
def test_a_journal_without_room_keeps_what_the_ledger_does_not_show(
    directory: Path, seal: Any, settings: Any
) -> None:
    kept, gone = [], []
    for _ in range(3):
        kept += [seal(), seal().become(SHIPPED)]
        gone.append(seal())
    for segment in gone:
        folded(segment)
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 1
    for _ in range(2):
        settling.settle(directory, time.time())
    assert segments.listing(directory) == sorted(kept)


@pytest.mark.django_db
@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES])
@pytest.mark.parametrize("state", [SEALED, SHIPPED, FOLDED])
def test_a_segment_that_cannot_be_read_is_settled_once_it_can(
    directory: Path, seal: Any, monkeypatch: pytest.MonkeyPatch, error: int, state: str
) -> None:
    segment = seal() if state == SEALED else seal().become(state)
    folded(segment)
    counting._ids.clear()
    later = time.time() + 2 * HOUR

    def refuse(path: Path) -> bytes:
        raise OSError(error, os.strerror(error), str(path))

    with monkeypatch.context() as unreadable:
        unreadable.setattr(files, "read", refuse)
        settling.settle(directory, later)
    assert segments.listing(directory) == [segment]
    settling.settle(directory, later)
    assert states(directory) == ([] if state == FOLDED else [FOLDED])


@pytest.mark.django_db
def test_what_waits_for_long_is_sent_again_ever_more_rarely(directory: Path, seal: Any) -> None:
    segment = seal().become(SHIPPED)
    sent, now = [], segment.created_at
    for _ in range(7 * 24 * 4):
        now += HOUR / 4
        settling.settle(directory, now)
        for again in segments.listing(directory, SEALED):
            sent.append((now - segment.created_at) / HOUR)
            os.utime(again.become(SHIPPED).path, (now, now))  # type: ignore[union-attr]
    assert sent[0] < 1.5
    assert all(later >= 2 * earlier for earlier, later in pairwise(sent))
    assert len(sent) == 8


@pytest.mark.django_db
def test_what_the_ledger_has_forgotten_by_age_is_not_sent_again(directory: Path, seal: Any) -> None:
    folded(seal())
    settling.settle(directory, time.time())
    LedgerEntry.objects.all().delete()
    settling.settle(directory, time.time() + 8 * 24 * HOUR)
    assert states(directory) == []


# flushing


def test_a_flush_seals_what_this_process_has_emitted(directory: Path) -> None:
    writer.current().append(LABEL, lines.encode(LABEL, "testapp.Page", "1", "", "views", 1))
    shipping.flush(directory, wait_seconds=0)
    assert states(directory) == [SEALED]


def test_a_flush_waits_until_another_process_has_sealed(directory: Path) -> None:
    segment, fd = segments.create(directory)
    os.write(fd, b"line\n")

    def oblige() -> None:
        while not segments.last_request(directory):
            time.sleep(0.001)
        segments.seal(segment, fd)

    thread = threading.Thread(target=oblige)
    thread.start()
    shipping.flush(directory, wait_seconds=10)
    assert states(directory) == [SEALED]
    thread.join()


def test_a_flush_does_not_wait_for_ever(directory: Path) -> None:
    _, fd = segments.create(directory)
    os.write(fd, b"line\n")
    shipping.flush(directory, wait_seconds=0.05)
    assert states(directory) == [OPEN]
    os.close(fd)
