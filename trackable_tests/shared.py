"""A corner of our own in services that others use too, and its removal.

Names carry the process id, so that what a killed run has left can be told and dropped.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from trackable_tests.services import CONNECT_TIMEOUT_SECONDS, DATABASE_PREFIX, is_local, missing

CLAIM_KEY = "trackable-tests.claimed-by-process"
HOST_PREFIX = "trackable-tests-"
RABBITMQCTL_TIMEOUT_SECONDS = 30


def is_alive(pid: int) -> bool:
    """Tell whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _dead(names: list[str], prefix: str) -> list[str]:
    found = [(name, re.match(rf"{re.escape(prefix)}(\d+)", name)) for name in names]
    return [name for name, match in found if match and not is_alive(int(match[1]))]


# databases


def drop_dead_databases(connection: Any) -> None:
    """Drop the test databases of processes that are gone from a server on this machine."""
    if connection.vendor == "sqlite" or connection.settings_dict["HOST"] != "127.0.0.1":
        return
    listing = {"postgresql": "SELECT datname FROM pg_database", "mysql": "SHOW DATABASES"}
    with connection.cursor() as cursor:
        cursor.execute(listing[connection.vendor])
        names = [name for (name,) in cursor.fetchall()]
        for name in _dead(names, DATABASE_PREFIX):
            cursor.execute(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(name)}")


# redis


@contextlib.contextmanager
def redis_database(url: str) -> Iterator[str]:
    """Claim a numbered database that is empty, give its URL, and leave it empty."""
    own = _claim(url)
    if own is None:
        missing(f"every numbered database at {url} is in use")
    assert own
    try:
        yield own
    finally:
        with _redis(own) as client:
            client.flushdb()


def empty_redis_database(url: str) -> None:
    """Remove every key but the claim."""
    with _redis(url) as client:
        keys = [key for key in client.keys("*") if key != CLAIM_KEY.encode()]
        if keys:
            client.delete(*keys)


def _claim(url: str) -> str | None:
    with _redis(url) as client:
        count = int(client.config_get("databases")["databases"])
    for number in range(1, count):
        own = urlunsplit(urlsplit(url)._replace(path=f"/{number}"))
        with _redis(own) as client:
            holder = client.get(CLAIM_KEY)
            if holder and is_local(url) and not is_alive(int(holder)):
                client.flushdb()
            if client.dbsize() == 0 and client.set(CLAIM_KEY, os.getpid(), nx=True):
                return own
    return None


def _redis(url: str) -> Any:
    import redis

    return redis.Redis.from_url(url, socket_connect_timeout=CONNECT_TIMEOUT_SECONDS)


# rabbitmq


@contextlib.contextmanager
def rabbitmq_host(url: str) -> Iterator[str]:
    """Make a virtual host, give its URL and delete it; give ``url`` where that is not allowed."""
    name = f"{HOST_PREFIX}{os.getpid()}"
    if not (is_local(url) and _rabbitmqctl("add_vhost", name)):
        yield url
        return
    try:
        user = urlsplit(url).username or "guest"
        _rabbitmqctl("set_permissions", "-p", name, user, ".*", ".*", ".*")
        _delete_dead_hosts()
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        _rabbitmqctl("delete_vhost", name)


def _delete_dead_hosts() -> None:
    names = _rabbitmqctl("list_vhosts", "--silent", "name") or ""
    for name in _dead(names.split(), HOST_PREFIX):
        _rabbitmqctl("delete_vhost", name)


def _rabbitmqctl(*arguments: str) -> str | None:
    """Return what the command prints, or ``None`` where it is absent or not allowed."""
    program = shutil.which("rabbitmqctl")
    if program is None:
        return None
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=RABBITMQCTL_TIMEOUT_SECONDS,
        check=False,
    )
    return (done.stdout or "done") if done.returncode == 0 else None


def delete_queues(url: str) -> None:
    """Delete the queues that this test's settings name, of every registered data class."""
    from kombu import Connection

    import trackable
    from trackable.broker import UNKNOWN, queue_name

    labels = [data_cls._meta.label for data_cls in trackable.site.data_classes()]
    with Connection(url, connect_timeout=CONNECT_TIMEOUT_SECONDS) as connection:
        for label in [*labels, UNKNOWN]:
            connection.default_channel.queue_delete(queue_name(label))
