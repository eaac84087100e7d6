"""The services that tests can use: where they are, and whether they answer.

Each is looked for at ``TRACKABLE_TEST_<NAME>_URL``, or at its standard port on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

CONNECT_TIMEOUT_SECONDS = 2
DATABASE_PREFIX = "test_trackable_"

DEFAULT_URLS = {
    "postgresql": "postgresql://postgres@127.0.0.1:5432/postgres",
    "mariadb": "mysql://root@127.0.0.1:3306/",
    "redis": "redis://127.0.0.1:6379/0",
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//",
}


def url_of(name: str) -> str:
    """Return the address of a service; it need not answer."""
    return os.environ.get(f"TRACKABLE_TEST_{name.upper()}_URL") or DEFAULT_URLS[name]


def is_local(url: str) -> bool:
    """Tell whether a service is on this machine, so that process ids in names are ours."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def require(name: str) -> str:
    """Return the address of a service that answers; otherwise skip the test, or fail it.

    ``TRACKABLE_TEST_REQUIRE_SERVICES=1`` makes it fail.
    """
    reason = absence_of(name)
    if reason is not None:
        missing(reason)
    return url_of(name)


def missing(reason: str) -> None:
    """Skip the test for want of a service, or fail it where services are required."""
    if os.environ.get("TRACKABLE_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@cache
def absence_of(name: str) -> str | None:
    """Return in one line why a service cannot be used, or ``None`` if it answers."""
    url = url_of(name)
    try:
        PROBES[name](url)
    except Exception as error:  # whatever a client raises means that it is not there
        cause = str(error).strip().partition("\n")[0]
        return f"{name} does not answer at {url}: {type(error).__name__}: {cause}"
    return None


def _probe_postgresql(url: str) -> None:
    import psycopg

    psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_SECONDS).close()


def _probe_mariadb(url: str) -> None:
    import pymysql

    at = database_at("mariadb", url)
    pymysql.connect(
        host=at["HOST"],
        port=at["PORT"],
        user=at["USER"],
        password=at["PASSWORD"],
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
    ).close()


def _probe_redis(url: str) -> None:
    import redis

    with redis.Redis.from_url(url, socket_connect_timeout=CONNECT_TIMEOUT_SECONDS) as client:
        client.ping()


def _probe_rabbitmq(url: str) -> None:
    from kombu import Connection

    with Connection(url, connect_timeout=CONNECT_TIMEOUT_SECONDS) as connection:
        connection.connect()


PROBES: dict[str, Callable[[str], None]] = {
    "postgresql": _probe_postgresql,
    "mariadb": _probe_mariadb,
    "redis": _probe_redis,
    "rabbitmq": _probe_rabbitmq,
}


def database_at(name: str, url: str | None = None) -> dict[str, Any]:
    """Return the entry of ``DATABASES`` for a service; the tests make their own database there."""
    parts = urlsplit(url or url_of(name))
    entry: dict[str, Any] = {
        "NAME": unquote(parts.path.strip("/")),
        "HOST": parts.hostname or "127.0.0.1",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }
    if name == "postgresql":
        return {**entry, "ENGINE": "django.db.backends.postgresql", "PORT": parts.port or 5432}
    return {
        **entry,
        "ENGINE": "django.db.backends.mysql",
        "PORT": parts.port or 3306,
        "OPTIONS": {
            "charset": "utf8mb4",
            "init_command": "SET sql_mode = 'STRICT_TRANS_TABLES'",
        },
        "TEST": {"CHARSET": "utf8mb4"},
    }
