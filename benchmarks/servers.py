"""The servers: those of the fault harness, set as their makers deliver them.

PostgreSQL, MariaDB and RabbitMQ sync what they have promised to keep, for every contender alike;
SQLite does so with its write-ahead log. Redis keeps all in memory, as it does by default between
its snapshots.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from trackable_tests.faults.servers import mariadb, postgresql, rabbitmq, redis, sqlite
from trackable_tests.faults.servers.base import ProgramMissing, Server

#: what the fault harness changes, and is left as it comes here
CHANGED_IN_MARIADB: Final = ("--innodb-", "--performance-schema")


class PostgreSQL(postgresql.PostgreSQL):
    """With PostgreSQL's defaults; the options are about where it listens."""

    def command(self) -> list[str]:
        options = {
            "listen_addresses": self.address[0],
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",  # in its folder: it is killed at the end
        }
        return [
            *self._as_user,
            str(self._programs / "postgres"),
            *("-D", str(self._data), f"--port={self.address[1]}"),
            *(f"--{name}={value}" for name, value in options.items()),
        ]

    def prepare(self) -> None:
        if not self._data.exists():
            access = ("--username", postgresql.USER, "--auth", "trust")
            shape = ("--encoding", "UTF8", "--no-locale", "--no-sync")
            self._run_as_user("initdb", "--pgdata", str(self._data), *access, *shape)


class MariaDB(mariadb.MariaDB):
    """With MariaDB's defaults; the options are about where it listens."""

    def command(self) -> list[str]:
        return [word for word in super().command() if not word.startswith(CHANGED_IN_MARIADB)]


class RabbitMQ(rabbitmq.RabbitMQ):
    """With as many schedulers as the machine has cores."""

    def environment(self) -> dict[str, str]:
        options = rabbitmq.ERLANG_OPTIONS.removeprefix("+S 1:1 ")
        return {**super().environment(), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": options}


class SQLite(sqlite.SQLite):
    """As its manual advises for a site: a write-ahead log, synced at every commit."""

    def settings(self, port: int | None = None) -> dict[str, Any]:
        options = {
            "timeout": sqlite.TIMEOUT_SECONDS,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
        }
        return {**super().settings(port), "OPTIONS": options}


ALL: Final[dict[str, type[Server]]] = {
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "sqlite": SQLite,
    "redis": redis.Redis,
    "rabbitmq": RabbitMQ,
}


def installed(folder: Path) -> dict[str, Any]:
    """Return the servers that this machine has, not started yet, each in a folder of its own."""
    found: dict[str, Any] = {}
    for name, kind in ALL.items():
        try:
            found[name] = kind(folder / name)
        except ProgramMissing as error:
            print(f"{error}: what needs {name} is left out")
    return found
