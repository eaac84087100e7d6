"""PostgreSQL, and a copy of it as a replica that lags would have."""

from __future__ import annotations

import os
import pwd
import shutil
import time
from pathlib import Path
from typing import Any

from trackable_tests.faults.servers.base import DATABASE, Database, ProgramMissing, program
from trackable_tests.faults.servers.process import PROBE_SECONDS, ProcessServer
from trackable_tests.services import database_at

USER = "postgres"
PROGRAMS = ("initdb", "postgres", "pg_basebackup")

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",  # in the folder, so that a kill leaves nothing behind
    # A commit is in the page cache before it is acknowledged, and SIGKILL does not lose that: only
    # a machine without power needs fsync. The rest of what makes a commit durable stays on.
    "fsync": "off",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "min_wal_size": "8MB",
    "max_wal_size": "64MB",
    "jit": "off",
    "timezone": "UTC",
}


class PostgreSQL(ProcessServer, Database):
    """Below root it runs as another user, because it refuses to run as root."""

    name = "postgresql"

    def __init__(self, folder: Path) -> None:
        self._programs = _folder_of_programs()
        self._as_user = _as_user()
        super().__init__(folder)
        self._copied: float | None = None

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _copy(self) -> Path:
        return self.folder / "copy"

    def command(self) -> list[str]:
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        program = str(self._programs / "postgres")
        port = f"--port={self.address[1]}"
        return [*self._as_user, program, "-D", str(self._data), port, *options]

    def prepare(self) -> None:
        if self._data.exists():
            return
        self._run_as_user(
            "initdb",
            *("--pgdata", str(self._data)),
            *("--username", USER, "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale"),
            *("--wal-segsize", "1"),  # megabytes: short to copy
            "--no-sync",
        )

    def probe(self) -> None:
        try:
            self.connect().close()
        except Exception as error:
            if f'database "{DATABASE}" does not exist' not in str(error):
                raise
            with self._connect("postgres", self.address[1], autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def connect(self, port: int | None = None) -> Any:
        return self._connect(DATABASE, port or self.address[1])

    def _connect(self, database: str, port: int, *, autocommit: bool = False) -> Any:
        import psycopg

        return psycopg.connect(
            host=self.address[0],
            port=port,
            user=USER,
            dbname=database,
            connect_timeout=PROBE_SECONDS,
            autocommit=autocommit,
        )

    def clean_up(self) -> None:
        """Remove the lock: another process may have the number by now that stands in it."""
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def settings(self, port: int | None = None) -> dict[str, Any]:
        host, own = self.address
        return database_at(self.name, f"postgresql://{USER}@{host}:{port or own}/{DATABASE}")

    def snapshot(self) -> None:
        if self.frozen:
            raise RuntimeError("postgresql cannot be copied while it is frozen")
        begun = time.monotonic()
        new = self.folder / "copy.new"
        shutil.rmtree(new, ignore_errors=True)
        host, port = self.address
        self._run_as_user(
            "pg_basebackup",
            *("--pgdata", str(new)),
            *("--host", host, "--port", str(port), "--username", USER),
            *("--checkpoint", "fast", "--wal-method", "fetch", "--no-sync"),
        )
        shutil.rmtree(self._copy, ignore_errors=True)
        new.rename(self._copy)
        self._copied = begun

    def fail_over(self) -> float:
        if self._copied is None:
            raise RuntimeError("postgresql has no copy to fail over to: take a snapshot first")
        self.kill()
        age_seconds = time.monotonic() - self._copied
        shutil.rmtree(self._data)
        self.run("cp", "-a", str(self._copy), str(self._data))  # keeps the owner
        self.start()
        return age_seconds

    def _run_as_user(self, name: str, *arguments: str) -> None:
        self.run(*self._as_user, str(self._programs / name), *arguments)


def _folder_of_programs() -> Path:
    """Return where the newest version is; packages keep it off the path."""
    packaged = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    newest = sorted(packaged, key=lambda folder: int(folder.parent.name), reverse=True)
    for folder in newest:
        if all((folder / name).exists() for name in PROGRAMS):
            return folder
    return Path(program("initdb")).resolve().parent


def _as_user() -> list[str]:
    """Return what to put before a command to run it as PostgreSQL's user, if we are root.

    It keeps the right to reach our folder, which is root's alone.
    """
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam(USER)
    except KeyError:
        raise ProgramMissing(f"PostgreSQL does not run as root, and no user is {USER}") from None
    reach = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return [program("setpriv"), f"--reuid={USER}", f"--regid={USER}", "--init-groups", *reach]
