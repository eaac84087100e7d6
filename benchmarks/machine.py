"""The machine: what it is, which versions it runs, and how busy it was."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from benchmarks.lab import Lab

PACKAGES: Final = ("Django", "celery", "kombu", "redis", "psycopg", "PyMySQL", "gunicorn")
BLOCK: Final = bytes(4096)


def about(lab: Lab) -> dict[str, Any]:
    """Return what figures of this run have to do with besides us."""
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": {
            "cores": f"{os.cpu_count()} of {_processor()}",
            "memory": f"{_memory_gib():.0f} GiB",
            "kernel": platform.release(),
            "fsync of 4 KiB": f"{_fsync_milliseconds(lab.folder):.2f} ms",
            "load at the start": f"{os.getloadavg()[0]:.1f}",
        },
        "versions": {"Python": platform.python_version(), **_packages(), **_servers(lab)},
    }


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def _fsync_milliseconds(folder: Path) -> float:
    """Every durable commit waits for one or more of these."""
    seconds = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(30):
            file.write(BLOCK)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _servers(lab: Lab) -> dict[str, str]:
    ask = {
        "postgresql": ("PostgreSQL", _sql_version),
        "mariadb": ("MariaDB", _sql_version),
        "sqlite": ("SQLite", lambda _: sqlite3.sqlite_version),
        "redis": ("Redis", _redis_version),
        "rabbitmq": ("RabbitMQ", _rabbitmq_version),
    }
    return {ask[name][0]: ask[name][1](lab.servers[name]) for name in lab.started}


def _sql_version(server: Any) -> str:
    connection = server.connect()
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT version()")
        text = str(cursor.fetchone()[0])
    finally:
        connection.close()
    return text.removeprefix("PostgreSQL ").partition(" ")[0].partition("-")[0]


def _redis_version(server: Any) -> str:
    import redis

    with redis.Redis.from_url(server.url()) as client:
        return str(client.info("server")["redis_version"])


def _rabbitmq_version(server: Any) -> str:
    from kombu import Connection

    with Connection(server.url()) as connection:
        connection.connect()
        return str(connection.connection.server_properties["version"])
