"""Fixtures: a journal and a queue prefix for each test, databases and brokers for those that ask.

What a run makes in a shared service carries its process id, and goes with it.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings as django_settings
from django.db import connections

from trackable import alarms, conf, notices, spiders
from trackable.journal import writer
from trackable_tests import services, shared

SERVICE_FIXTURES = {"redis_url", "rabbitmq_url"}
#: whose tests search, or go to the limits: many or long, for whoever changes what they look at
SLOW_FOLDERS = {"bounds", "faults", "fuzzing", "protocol"}
SEARCHES = {"fuzzing", "protocol"}
DATABASE_FIXTURES = {"db", "transactional_db", "admin_client", "admin_user"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "services: needs a broker that answers")
    config.addinivalue_line("markers", "slow: starts processes, or takes more than a second")
    config.addinivalue_line("markers", "vendor(*names): runs on these databases alone")
    database = django_settings.TEST_DATABASE
    if database != "sqlite" and (reason := services.absence_of(database)):
        pytest.exit(reason, returncode=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    elsewhere = [item for item in items if not runs_here(item)]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        named = {value for value in params.values() if isinstance(value, str)}
        used = {*getattr(item, "fixturenames", ()), *named}
        if SERVICE_FIXTURES & used:
            item.add_marker("services")
        if item.path.parent.name in SLOW_FOLDERS:
            item.add_marker("slow")


def runs_here(item: pytest.Item) -> bool:
    """Tell whether a test is for the database of this run: ``vendor("postgresql")``.

    One that asks for no database, or searches, runs with SQLite alone: once is enough.
    """
    marker = item.get_closest_marker("vendor")
    if marker is not None:
        return django_settings.TEST_DATABASE in marker.args
    asks = item.get_closest_marker("django_db") or DATABASE_FIXTURES & {*item.fixturenames}
    is_search = item.path.parent.name in SEARCHES
    return django_settings.TEST_DATABASE == "sqlite" or (bool(asks) and not is_search)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Where services are required, a test that is skipped has failed."""
    report = yield
    required = os.environ.get("TRACKABLE_TEST_REQUIRE_SERVICES") == "1"
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {report.longrepr[2]}"
    return report


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give this process its own databases: a file, or a name with the process id."""
    for connection in connections.all():
        entry = connection.settings_dict
        if connection.vendor == "sqlite":
            folder = tmp_path_factory.mktemp("databases")
            entry["TEST"]["NAME"] = str(folder / f"{connection.alias}.sqlite3")
        else:
            entry["TEST"]["NAME"] = f"{services.DATABASE_PREFIX}{os.getpid()}"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Drop what runs that were killed have left."""
    with django_db_blocker.unblock():
        shared.drop_dead_databases(connections["default"])


@pytest.fixture(autouse=True)
def own_surroundings(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Give each test a journal and queues of its own, no thread, and settings read afresh."""
    settings.TRACKABLE_JOURNAL_DIR = str(tmp_path / "journal")
    settings.TRACKABLE_QUEUE_PREFIX = f"trackable-tests.{uuid.uuid4().hex[:12]}."
    settings.TRACKABLE_FLUSH_THREAD = False
    conf.forget()
    spiders.forget()
    notices.forget()
    yield
    writer.close()
    conf.forget()
    spiders.forget()


@pytest.fixture(scope="session")
def _redis_database() -> Iterator[str]:
    with shared.redis_database(services.require("redis")) as url:
        yield url


@pytest.fixture
def redis_url(_redis_database: str) -> Iterator[str]:
    """The URL of a Redis database that is this process's alone, and empty."""
    yield _redis_database
    shared.empty_redis_database(_redis_database)


@pytest.fixture(scope="session")
def _rabbitmq_host() -> Iterator[str]:
    with shared.rabbitmq_host(services.require("rabbitmq")) as url:
        yield url


@pytest.fixture
def rabbitmq_url(_rabbitmq_host: str, own_surroundings: None) -> Iterator[str]:
    """The URL of a RabbitMQ virtual host of this process, or of the one that the URL names."""
    yield _rabbitmq_host
    if _rabbitmq_host == services.url_of("rabbitmq"):
        shared.delete_queues(_rabbitmq_host)


@pytest.fixture(params=[None, "redis_url", "rabbitmq_url"], ids=["embedded", "redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest, settings: Any) -> str | None:
    """Run the test without a broker, with Redis and with RabbitMQ, as the settings then say."""
    return use_broker(request, settings)


@pytest.fixture(params=["redis_url", "rabbitmq_url"], ids=["redis", "rabbitmq"])
def real_broker_url(request: pytest.FixtureRequest, settings: Any) -> str | None:
    """Run the test with Redis and with RabbitMQ."""
    return use_broker(request, settings)


def use_broker(request: pytest.FixtureRequest, settings: Any) -> str | None:
    url = request.getfixturevalue(request.param) if request.param else None
    settings.TRACKABLE_BROKER_URL = url
    return url


@pytest.fixture
def admins(settings: Any) -> None:
    """Give the site an administrator, in the form that this version of Django takes."""
    address = "admin@example.com"
    settings.ADMINS = [address] if django.VERSION >= (6, 0) else [("Admin", address)]


@pytest.fixture
def mails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have alarms mail in the test's own thread."""
    monkeypatch.setattr(alarms, "_mail", alarms._send)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of this machine that takes connections and never answers on them."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


@pytest.fixture
def child_environment(own_surroundings: None, settings: Any) -> Callable[..., dict[str, str]]:
    """Make the environment of a process that sees this test's databases and settings.

    For tests with ``transaction=True``: another process sees only what is committed. Settings
    passed by name are the child's alone.
    """

    def environment(**changed: Any) -> dict[str, str]:
        names = ("BROKER_URL", "JOURNAL_DIR", "QUEUE_PREFIX")
        own = {f"TRACKABLE_{name}": conf.get(name) for name in names}
        databases = {c.alias: str(c.settings_dict["NAME"]) for c in connections.all()}
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "trackable_tests.settings",
            "PYTHONPATH": str(django_settings.BASE_DIR),
            "TRACKABLE_TEST_CHILD": json.dumps(
                {"databases": databases, "settings": {**own, **changed}}
            ),
        }

    return environment
