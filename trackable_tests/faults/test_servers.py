"""The harness's own servers die, freeze and start again, and leave nothing behind."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from kombu import Connection, Producer, Queue

from trackable_tests.faults.servers import (
    BROKERS,
    DATABASES,
    Broker,
    Database,
    ProgramMissing,
    guard,
)
from trackable_tests.faults.servers.process import ProcessServer
from trackable_tests.faults.waiting import until
from trackable_tests.services import missing
from trackable_tests.shared import is_alive

pytestmark = [pytest.mark.slow, pytest.mark.vendor("sqlite")]

QUEUE = "notes"


@contextmanager
def running(name: str, folder: Path) -> Iterator[Any]:
    """Start a server of that name, and stop it."""
    try:
        server = {**DATABASES, **BROKERS}[name](folder / name)
    except ProgramMissing as error:
        missing(str(error))
        raise
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with running(request.param, tmp_path) as server:
        yield server


def on(*names: str) -> Any:
    return pytest.mark.parametrize("server", names, indirect=True)


# processes


@on("postgresql", "mariadb", "redis")
def test_a_kill_ends_every_process_and_a_start_takes_the_same_port(server: ProcessServer) -> None:
    address, processes = server.address, server.processes()
    server.kill()
    assert processes
    assert not any(map(is_alive, processes))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    server.start()
    assert server.address == address
    socket.create_connection(address).close()


@on("postgresql", "mariadb", "redis")
def test_a_freeze_stops_every_process_until_the_thaw(server: ProcessServer) -> None:
    first = server.processes()[0]
    server.freeze()
    until(lambda: states(server) == {"T"})
    server.thaw()
    until(lambda: "T" not in states(server))
    server.probe()  # it answers, or this raises
    assert server.processes()[0] == first, "it was started anew"


@on("postgresql", "redis")
def test_a_stop_ends_what_is_frozen(server: ProcessServer) -> None:
    processes = server.processes()
    server.freeze()
    server.stop()
    assert not any(map(is_alive, processes))
    server.stop()


def states(server: ProcessServer) -> set[str]:
    found = set()
    for pid in server.processes():
        with suppress(OSError):  # it has ended meanwhile
            found.add(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
    return found


HARNESS = """
import pathlib, sys
from trackable_tests.faults.servers import DATABASES
server = DATABASES["postgresql"](pathlib.Path(sys.argv[1]))
server.start()
server.freeze()
print(*server.processes(), flush=True)
sys.stdin.read()
"""


def test_a_server_ends_with_a_harness_that_is_killed(tmp_path: Path) -> None:
    with running("postgresql", tmp_path / "to see whether it is here"):
        pass
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(tmp_path / "server")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(settings.BASE_DIR)},
    )
    with harness:
        assert harness.stdout
        processes = [int(pid) for pid in harness.stdout.readline().split()]
        assert shared_memory_of(processes)
        harness.kill()
    until(lambda: not any(map(is_alive, processes)))
    until(lambda: not shared_memory_of(processes))


def test_a_server_that_does_not_start_tells_why(tmp_path: Path) -> None:
    with running("redis", tmp_path) as server:
        server.kill()
        with socket.socket() as other:
            other.bind(server.address)
            with pytest.raises(RuntimeError, match=r"redis does not start(?s:.*)already in use"):
                server.start()
        server.start()


@on("postgresql")
def test_a_kill_and_a_fail_over_leave_no_shared_memory(server: Any) -> None:
    server.snapshot()
    processes = server.processes()
    assert shared_memory_of(processes)
    server.fail_over()
    processes += server.processes()
    server.stop()
    assert not shared_memory_of(processes)


def shared_memory_of(processes: list[int]) -> list[int]:
    return [segment for pid in processes for segment in guard.segments_of(pid)]


# databases


def run(database: Database, *statements: str) -> None:
    with closing(database.connect()) as connection, closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def numbers(database: Database, table: str = "notes") -> list[int]:
    with closing(database.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT number FROM {table} ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


@on("postgresql", "mariadb")
def test_a_commit_survives_a_kill_and_what_is_open_does_not(server: Database) -> None:
    run(server, "CREATE TABLE notes (number integer)")
    with closing(server.connect()) as connection, suppress(Exception):  # it breaks in the end
        connection.cursor().execute("INSERT INTO notes VALUES (2)")
        run(server, "INSERT INTO notes VALUES (1)")
        server.kill()
    server.start()
    assert numbers(server) == [1]


@on("sqlite", "postgresql", "mariadb")
def test_a_fail_over_loses_what_came_after_the_copy(server: Database) -> None:
    with pytest.raises(RuntimeError, match="snapshot"):
        server.fail_over()
    run(server, "CREATE TABLE notes (number integer)", "INSERT INTO notes VALUES (1)")
    started = time.monotonic()
    server.snapshot()
    for number in (2, 3):
        run(server, f"INSERT INTO notes VALUES ({number})")
        assert numbers(server) == [1, number]
        assert 0 < server.fail_over() < time.monotonic() - started
        assert numbers(server) == [1]


@on("sqlite", "postgresql", "mariadb")
def test_a_copy_taken_under_load_is_consistent(server: Database) -> None:
    run(server, *(f"CREATE TABLE {table} (number integer)" for table in ("debits", "credits")))
    committed = 0
    is_over = threading.Event()

    def book() -> None:
        nonlocal committed
        while not is_over.is_set():
            number = committed + 1
            tables = ("debits", "credits")
            run(server, *(f"INSERT INTO {table} VALUES ({number})" for table in tables))
            committed = number

    thread = threading.Thread(target=book)
    thread.start()
    until(lambda: committed > 10)
    before = committed
    server.snapshot()
    until(lambda: committed > before + 10)
    is_over.set()
    thread.join()
    server.fail_over()
    kept = numbers(server, "debits")
    assert kept == numbers(server, "credits") == list(range(1, len(kept) + 1))
    assert before <= len(kept) < committed


@pytest.mark.parametrize("mode", ["wal", "delete"])
@on("sqlite")
def test_an_open_connection_sees_the_fail_over(server: Database, mode: str) -> None:
    with closing(server.connect()) as connection:
        assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
        run(server, "CREATE TABLE notes (number integer)", "INSERT INTO notes VALUES (1)")
        server.snapshot()
        run(server, "CREATE TABLE more (number integer)", "INSERT INTO notes VALUES (2)")
        assert len(connection.execute("SELECT * FROM notes").fetchall()) == 2
        server.fail_over()
        assert len(connection.execute("SELECT * FROM notes").fetchall()) == 1
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            connection.execute("SELECT * FROM more")
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)


# brokers


@contextmanager
def open_queue(broker: Broker) -> Iterator[Any]:
    options = {**broker.transport_options, "confirm_publish": True}
    with Connection(broker.url(), transport_options=options) as connection:
        queue = Queue(QUEUE, routing_key=QUEUE, queue_arguments=broker.queue_arguments or None)
        bound = queue.bind(connection.default_channel)
        bound.queue_declare()
        yield bound


def publish(broker: Broker) -> None:
    with open_queue(broker) as queue, Producer(queue.channel) as producer:
        producer.publish("note", exchange="", routing_key=QUEUE, delivery_mode=2)


def depth(broker: Broker) -> int:
    with open_queue(broker) as queue:
        return int(queue.queue_declare().message_count)


@on("redis", "redis-durable", "filesystem")
def test_a_flush_and_an_empty_restart_remove_every_message(server: Broker) -> None:
    for empty in (server.flush, server.restart_empty):
        publish(server)
        assert depth(server) == 1
        empty()
        assert depth(server) == 0


@pytest.mark.parametrize(
    ("server", "kept"), [("redis-durable", 1), ("redis", 0)], indirect=["server"]
)
def test_a_kill_takes_what_a_broker_does_not_keep_on_its_disk(server: Broker, kept: int) -> None:
    publish(server)
    server.kill()
    server.start()
    assert depth(server) == kept


@on("rabbitmq")
def test_rabbitmq_keeps_messages_until_it_is_emptied(server: Broker) -> None:
    publish(server)
    with open_queue(server) as queue:
        assert queue.get(no_ack=False)
        server.flush()
    assert depth(server) == 0
    publish(server)
    server.kill()
    server.start()
    assert depth(server) == 1
    server.restart_empty()
    assert depth(server) == 0


@on("rabbitmq-quorum")
def test_a_quorum_queue_takes_messages_again_after_any_kill(server: Broker) -> None:
    publish(server)
    server.kill()
    server.start()
    publish(server)  # it need not have kept the first one
    until(lambda: b"notes" in next(server.folder.glob("data/*/quorum/*/names.dets")).read_bytes())
    server.kill()
    server.start()
    assert depth(server) > 0
    server.flush()
    assert depth(server) == 0


@on("none")
def test_no_broker_is_one_without_an_address(server: Broker) -> None:
    assert server.url() is None
    assert not server.can_be_killed
    with pytest.raises(NotImplementedError):
        server.kill()
