"""The proxy cuts where it says, and what it passes on arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from trackable_tests.faults import commits
from trackable_tests.faults.proxy import Proxy
from trackable_tests.faults.servers import DATABASES, Database, ProgramMissing
from trackable_tests.faults.waiting import until
from trackable_tests.services import missing

WAIT_SECONDS = 10
POSTGRESQL_COMMIT = b"Q\0\0\0\x0bCOMMIT\0"
MARIADB_COMMIT = b"\x07\0\0\0\x03COMMIT"


class Echo:
    """A server that keeps what has arrived, and sends it back."""

    def __init__(self) -> None:
        self.arrived = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                end, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=[end], daemon=True).start()

    def _answer(self, end: socket.socket) -> None:
        with end, contextlib.suppress(OSError):
            while content := end.recv(1 << 16):
                self.arrived += content
                end.sendall(content)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with running(Proxy(echo.address)) as proxy:
        yield proxy


@contextlib.contextmanager
def running(proxy: Proxy) -> Iterator[Proxy]:
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


@contextlib.contextmanager
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), WAIT_SECONDS) as end:
        yield end


def is_reset(end: socket.socket) -> bool:
    try:
        return end.recv(1) == b""
    except ConnectionResetError:
        return True


# connections


def test_what_is_sent_arrives_both_ways(proxy: Proxy, echo: Echo) -> None:
    content = bytes(range(256)) * 4096
    with client(proxy) as end, end.makefile("rb") as answers:
        threading.Thread(target=end.sendall, args=[content]).start()
        assert answers.read(len(content)) == content
    assert not proxy.fired


def test_a_cut_resets_every_connection(proxy: Proxy) -> None:
    with client(proxy) as one, client(proxy) as two:
        for end in (one, two):
            end.sendall(b"x")
            assert end.recv(1) == b"x"
        assert proxy.cut() == 2
        assert is_reset(one)
        assert is_reset(two)
    assert proxy.cut() == 0
    assert proxy.fired == {"cut": 2}


def test_it_takes_connections_after_a_cut_and_after_a_stop(proxy: Proxy) -> None:
    proxy.cut()
    proxy.stop()
    with pytest.raises(ConnectionRefusedError), client(proxy):
        pass
    proxy.start()
    with client(proxy) as end:
        end.sendall(b"x")
        assert end.recv(1) == b"x"
        proxy.stop()
        assert is_reset(end)
    assert not proxy.fired, "nothing of this was a fault"


def test_a_server_that_is_down_is_a_connection_that_ends(proxy: Proxy, echo: Echo) -> None:
    echo.close()
    echo.listener = socket.create_server(("127.0.0.1", 0))
    with contextlib.suppress(ConnectionResetError), client(proxy) as end:
        assert is_reset(end)


def test_a_stall_passes_nothing_on_for_a_while(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as end:
        started = time.monotonic()
        proxy.stall(0.2)
        end.sendall(b"x")
        assert end.recv(1) == b"x"
        assert time.monotonic() - started >= 0.2
    assert proxy.fired == {"stall": 1}


def test_so_many_bytes_arrive_and_no_more(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as old, client(proxy) as new:
        old.sendall(b"12")
        assert old.recv(2) == b"12"
        proxy.cut_after_bytes(5)
        old.sendall(b"3456789")
        assert is_reset(old)
        until(lambda: echo.arrived == b"1234567")
        new.sendall(b"x" * 10)
        assert new.recv(10), "only one connection is cut"
    assert proxy.fired == {"cut after bytes": 1}


# commits


@pytest.mark.parametrize(
    "message", [POSTGRESQL_COMMIT, MARIADB_COMMIT], ids=["postgresql", "mariadb"]
)
def test_a_commit_does_not_arrive_wherever_reads_split_it(message: bytes) -> None:
    for split in range(len(message)):
        with closing(Echo()) as echo, running(Proxy(echo.address)) as proxy, client(proxy) as end:
            proxy.cut_at_commit(arrived=False)
            before = b"SELECT 1" + message[:split]
            end.sendall(before)
            until(lambda: echo.arrived == before)  # noqa: B023
            end.sendall(message[split:] + b"...")
            while not is_reset(end):
                pass
            assert proxy.fired == {"commit lost": 1}
            assert message not in echo.arrived


def test_only_the_next_commit_is_cut(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as end:
        end.sendall(MARIADB_COMMIT)
        until(lambda: echo.arrived == MARIADB_COMMIT)
        proxy.cut_at_commit(arrived=False)
        end.sendall(b"SELECT 2")
        until(lambda: echo.arrived == MARIADB_COMMIT + b"SELECT 2")
        assert not proxy.fired
        end.sendall(MARIADB_COMMIT)
        until(lambda: proxy.fired)
    with client(proxy) as end:
        end.sendall(MARIADB_COMMIT)
        assert end.recv(1)
    assert proxy.fired == {"commit lost": 1}


def test_the_answer_that_is_kept_back_is_that_of_the_commit(proxy: Proxy, echo: Echo) -> None:
    proxy.cut_at_commit(arrived=True)
    with client(proxy) as end:
        for part in (POSTGRESQL_COMMIT, b"an answer to something else", b"Z\0\0\0", b"\x05I"):
            assert not proxy.fired
            end.sendall(part)
            until(lambda: echo.arrived.endswith(part))  # noqa: B023
        assert is_reset(end)
    assert proxy.fired == {"commit answer lost": 1}


@pytest.mark.parametrize(
    "message",
    [
        b"Q\0\0\0\x0ccommit;\0",
        b"P\0\0\0\x0f\0COMMIT\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0",
        b"P\0\0\0\x16_pg3_0\0COMMIT\0\0\0",
        b"\x08\0\0\0\x03Commit;",
    ],
)
def test_other_forms_of_a_commit_are_seen(message: bytes) -> None:
    assert commits.find(b"..." + message) is not None


@pytest.mark.parametrize(
    "message",
    [
        b"Q\0\0\0\x0dROLLBACK\0",
        b"Q\0\0\0\x12COMMIT AND CHA",
        b"\x0f\0\0\0\x03SELECT 'COMMIT'",
        b"\x07\0\0\0\x16COMMIT",
    ],
)
def test_what_is_no_commit_is_not_taken_for_one(message: bytes) -> None:
    assert commits.find(message) is None


# databases


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    try:
        server = DATABASES[request.param](tmp_path_factory.mktemp(request.param))
    except ProgramMissing as error:
        missing(str(error))
        raise
    server.start()
    try:
        with closing(server.connect()) as connection:
            connection.cursor().execute("CREATE TABLE notes (note varchar(20))")
            connection.commit()
        yield server
    finally:
        server.stop()


@pytest.fixture
def proxied(database: Database) -> Iterator[tuple[Proxy, Any]]:
    """A proxy in front of the database, and a connection through it."""
    with (
        running(Proxy(database.address)) as proxy,
        closing(database.connect(proxy.port)) as connection,
    ):
        yield proxy, connection


def notes(database: Database) -> list[str]:
    """Return the notes and remove them; another's transaction on them is waited for."""
    with closing(database.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT note FROM notes")
        found = [note for (note,) in cursor.fetchall()]
        cursor.execute("DELETE FROM notes")
        connection.commit()
        return found


@pytest.mark.slow
@pytest.mark.parametrize("arrived", [False, True])
def test_a_commit_is_lost_or_its_answer_is(
    database: Database, arrived: bool, proxied: tuple[Proxy, Any]
) -> None:
    proxy, connection = proxied
    cursor = connection.cursor()
    cursor.execute("INSERT INTO notes VALUES ('first')")
    connection.commit()
    proxy.cut_at_commit(arrived=arrived)
    cursor.execute("INSERT INTO notes VALUES ('second')")
    with pytest.raises(Exception, match=r"(?i)connection|server") as caught:
        connection.commit()
    assert type(caught.value).__name__ == "OperationalError"
    assert notes(database) == (["first", "second"] if arrived else ["first"])
    assert proxy.fired == {"commit answer lost" if arrived else "commit lost": 1}


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_commit_of_a_pipeline_is_cut(database: Database, proxied: tuple[Proxy, Any]) -> None:
    proxy, connection = proxied
    proxy.cut_at_commit(arrived=True)

    def insert() -> None:
        with connection.pipeline():
            connection.execute("INSERT INTO notes VALUES (%s)", ["one"])
            connection.commit()

    with pytest.raises(Exception, match="server"):
        insert()
    assert notes(database) == ["one"]
    assert proxy.fired == {"commit answer lost": 1}
