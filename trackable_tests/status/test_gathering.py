"""All parts are asked at once; one that fails or hangs hides no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, connections

from trackable.folding.ledger import DatabaseNow
from trackable.messaging import process_messages
from trackable.models import LedgerEntry
from trackable.status import Failed, Status, gather, gathering
from trackable.status.databases import read_database
from trackable.status.figures import Broker, Database, Journal, Machine
from trackable_tests.counting import a_page, emit
from trackable_tests.status.making import a_database, a_journal


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put other parts in the place of the real ones."""

    def replace(**parts: Any) -> None:
        for name, read in parts.items():
            monkeypatch.setattr(gathering, name, read)

    replace(read_database=lambda alias: a_database())
    return replace


@pytest.fixture
def hanging() -> Iterator[Callable[[], Any]]:
    """A part that does not answer before the test ends."""
    ended = threading.Event()

    def hang() -> None:
        ended.wait(30)

    yield hang
    ended.set()
    deadline = time.monotonic() + 10
    while gathering._awaited and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not gathering._awaited


def fail() -> Any:
    raise OSError("no\n such \x1b[2Jdisk")


@pytest.mark.django_db
def test_status_has_all_parts() -> None:
    found = gather()
    assert isinstance(found.journal, Journal)
    assert isinstance(found.machine, Machine)
    assert found.broker is None
    assert isinstance(found.databases["default"], Database)
    assert [part for part, _ in found.parts()] == ["journal", "machine", "database default"]


@pytest.mark.django_db
def test_what_a_transaction_has_not_committed_is_seen_in_it() -> None:
    assert connection.in_atomic_block
    LedgerEntry.objects.create(batch_id="a", fold_id="f", folded_at=DatabaseNow())
    database = gather().databases["default"]
    assert isinstance(database, Database)
    assert database.last_fold is not None


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_databases_are_asked_apart_and_their_connections_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emit(a_page(), times=3)
    process_messages()
    used = []

    def read(alias: str) -> Database:
        used.append((threading.current_thread(), connections[alias]))
        return read_database(alias)

    monkeypatch.setattr(gathering, "read_database", read)
    database = gather().databases["default"]
    assert isinstance(database, Database), database
    assert database.last_fold is not None
    assert database.last_fold.increments == 3
    [(thread, used_connection)] = used
    assert thread is not threading.current_thread()
    assert used_connection.connection is None


def test_part_that_fails_hides_no_other(asked: Callable[..., None]) -> None:
    asked(read_journal=fail)
    found = gather()
    assert found.journal == Failed("no such \\x1b[2Jdisk")
    assert isinstance(found.machine, Machine)


def test_part_that_hangs_is_not_waited_for(
    asked: Callable[..., None], hanging: Callable[[], Any]
) -> None:
    asked(read_machine=hanging)
    found = gather(0.05)
    assert found.machine == Failed("no answer within 0.05 s")
    assert isinstance(found.journal, Journal)


def test_part_that_hangs_is_not_asked_again(
    asked: Callable[..., None], hanging: Callable[[], Any]
) -> None:
    asked(read_machine=hanging)
    before = threading.active_count()
    for _ in range(3):
        gather(0.01)
    assert threading.active_count() <= before + 1


def test_answer_that_is_awaited_is_for_all_who_ask(asked: Callable[..., None]) -> None:
    begun, end = threading.Event(), threading.Event()
    journal = a_journal(directory="/slow")

    def read() -> Journal:
        begun.set()
        assert end.wait(10)
        return journal

    asked(read_journal=read)
    first: list[Status] = []
    other = threading.Thread(target=lambda: first.append(gather()))
    other.start()
    assert begun.wait(10)
    asked(read_journal=fail)
    threading.Timer(0.01, end.set).start()
    assert gather().journal is journal
    other.join()
    assert first[0].journal is journal


def test_thread_that_cannot_start_is_a_failure(
    asked: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    found = gather()
    assert found.journal == Failed("can't start new thread")
    assert not gathering._awaited


def test_broker_that_never_answers_is_a_failure(
    asked: Callable[..., None], settings: Any, silent_port: int
) -> None:
    settings.TRACKABLE_BROKER_URL = f"redis://127.0.0.1:{silent_port}/0"
    settings.TRACKABLE_BROKER_TIMEOUT = 0.05
    started = time.monotonic()
    found = gather()
    assert isinstance(found.broker, Failed)
    assert time.monotonic() - started < 4


def test_broker_that_answers_has_queues(
    asked: Callable[..., None], settings: Any, redis_url: str
) -> None:
    settings.TRACKABLE_BROKER_URL = redis_url
    assert isinstance(gather().broker, Broker)
