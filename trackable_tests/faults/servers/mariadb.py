"""MariaDB, and a copy of it as a replica that lags would have."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from trackable_tests.faults.servers.base import DATABASE, Database, program
from trackable_tests.faults.servers.process import PROBE_SECONDS, ProcessServer
from trackable_tests.services import database_at

USER = "faults"
OPTIONS = {
    # Relative to the data, because the name of a socket must be short.
    "socket": "socket",
    # A commit is written before it is acknowledged, and synced once a second: SIGKILL loses
    # nothing that is written.
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-buffer-pool-size": "32M",
    "innodb-log-file-size": "8M",
    "character-set-server": "utf8mb4",
    "performance-schema": "OFF",
    "skip-name-resolve": "ON",
    "skip-log-bin": "ON",
    "skip-ssl": "ON",  # the proxy reads what is said
}
#: run at every start, before the first connection is taken
START_SQL = (
    f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
    f"CREATE USER IF NOT EXISTS {USER}@'127.0.0.1';\n"
    f"GRANT ALL ON *.* TO {USER}@'127.0.0.1';\n"
)


class MariaDB(ProcessServer, Database):
    """Its copy is of the files: it recovers from it as from a crash."""

    name = "mariadb"

    def __init__(self, folder: Path) -> None:
        self._server = program("mariadbd")
        self._installer = program("mariadb-install-db")
        # As root it wants to be told that this is meant.
        self._as_root = ["--user=root"] if os.geteuid() == 0 else []
        super().__init__(folder)
        self._data = folder / "data"
        self._copy = folder / "copy"
        self._copied: float | None = None

    def command(self) -> list[str]:
        host, port = self.address
        return [
            self._server,
            "--no-defaults",
            *self._as_root,
            f"--datadir={self._data}",
            f"--init-file={self.folder / 'start.sql'}",
            f"--bind-address={host}",
            f"--port={port}",
            *(f"--{name}={value}" for name, value in OPTIONS.items()),
        ]

    def prepare(self) -> None:
        if self._data.exists():
            return
        (self.folder / "start.sql").write_text(START_SQL)
        self.run(
            self._installer,
            "--no-defaults",
            *self._as_root,
            f"--datadir={self._data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--innodb-log-file-size={OPTIONS['innodb-log-file-size']}",
        )

    def probe(self) -> None:
        self.connect().close()

    def connect(self, port: int | None = None) -> Any:
        import pymysql

        host, own = self.address
        return pymysql.connect(
            host=host,
            port=port or own,
            user=USER,
            database=DATABASE,
            connect_timeout=PROBE_SECONDS,
        )

    def settings(self, port: int | None = None) -> dict[str, Any]:
        host, own = self.address
        return database_at(self.name, f"mysql://{USER}@{host}:{port or own}/{DATABASE}")

    def snapshot(self) -> None:
        begun = time.monotonic()
        new = self.folder / "copy.new"
        shutil.rmtree(new, ignore_errors=True)
        was_frozen = self.frozen
        self.freeze()
        try:
            self.run("cp", "-a", str(self._data), str(new))
        finally:
            if not was_frozen:
                self.thaw()
        shutil.rmtree(self._copy, ignore_errors=True)
        new.rename(self._copy)
        self._copied = begun

    def fail_over(self) -> float:
        if self._copied is None:
            raise RuntimeError("mariadb has no copy to fail over to: take a snapshot first")
        self.kill()
        age_seconds = time.monotonic() - self._copied
        shutil.rmtree(self._data)
        self.run("cp", "-a", str(self._copy), str(self._data))
        self.start()
        return age_seconds
