"""Redis: by default all that it holds is gone when it is killed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from trackable_tests.faults.servers.base import Broker, program
from trackable_tests.faults.servers.process import PROBE_SECONDS, ProcessServer


class Redis(ProcessServer, Broker):
    """A durable one writes each command to a file before it answers."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._program = program("redis-server", "valkey-server")
        super().__init__(folder)
        self.name = "redis-durable" if durable else "redis"
        self._persistence = ["yes", "--appendfsync", "always"] if durable else ["no"]

    def command(self) -> list[str]:
        host, port = self.address
        return [
            self._program,
            *("--bind", host, "--port", str(port)),
            *("--dir", str(self.folder), "--save", ""),
            *("--appendonly", *self._persistence),
        ]

    def probe(self) -> None:
        with self._client() as client:
            client.ping()

    def url(self, port: int | None = None) -> str:
        host, own = self.address
        return f"redis://{host}:{port or own}/0"

    def flush(self) -> None:
        with self._client() as client:
            client.flushall()

    def restart_empty(self) -> None:
        self.kill()
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        self.start()

    def _client(self) -> Any:
        import redis

        return redis.Redis.from_url(self.url(), socket_timeout=PROBE_SECONDS)
