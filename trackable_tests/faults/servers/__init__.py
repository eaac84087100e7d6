"""The servers that the harness starts for itself, so that it may kill them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from trackable_tests.faults.servers.base import Broker, Database, NoBroker, ProgramMissing, Server
from trackable_tests.faults.servers.files import FileBroker
from trackable_tests.faults.servers.mariadb import MariaDB
from trackable_tests.faults.servers.postgresql import PostgreSQL
from trackable_tests.faults.servers.rabbitmq import RabbitMQ
from trackable_tests.faults.servers.redis import Redis
from trackable_tests.faults.servers.sqlite import SQLite

__all__ = [
    # what they are
    "Server",
    "Database",
    "Broker",
    # which there are
    "DATABASES",
    "BROKERS",
    # what is raised
    "ProgramMissing",
]

DATABASES: dict[str, type[Database]] = {
    "sqlite": SQLite,
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
}

BROKERS: dict[str, Callable[[Path], Broker]] = {
    "none": NoBroker,
    "redis": Redis,
    "redis-durable": partial(Redis, durable=True),
    "rabbitmq": RabbitMQ,
    "rabbitmq-quorum": partial(RabbitMQ, quorum=True),
    "filesystem": FileBroker,
}
