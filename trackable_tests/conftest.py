"""Fixtures: a journal and a queue prefix for each test, databases and brokers for those that ask.

What a run makes in a shared service carries its process id, and goes with it.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.db import connections
from django.test.signals import root_urlconf_changed
from django.urls import set_urlconf

from trackable import alarms, conf, notices, spiders
from trackable.journal import writer
from trackable_tests import services, shared
from trackable_tests.emptying import Emptier, emptied_by

SERVICE_FIXTURES = {"redis_url", "rabbitmq_url"}
BROKER_WITH = {"postgresql": "redis_url", "mariadb": "rabbitmq_url"}
#: whose tests search, or go to the limits: many or long, for whoever changes what they look at
SLOW_FOLDERS = {"bounds", "browser", "faults", "fuzzing", "protocol"}
SEARCHES = {"fuzzing", "protocol"}
THREAD_TIMEOUT_SECONDS = 30
#: where pages are looked at, which takes a browser: `make browser`
if os.environ.get("TRACKABLE_TEST_BROWSER") != "1":
    collect_ignore = ["browser"]
DATABASE_FIXTURES = {"db", "transactional_db", "admin_client", "admin_user"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "services: needs a broker that answers")
    config.addinivalue_line("markers", "slow: starts processes, searches, or takes long")
    config.addinivalue_line("markers", "vendor(*names): runs on these databases alone")
    hypothesis.settings.register_profile("unhurried", deadline=None)
    hypothesis.settings.load_profile("unhurried")
    setting_changed.disconnect(root_urlconf_changed)
    setting_changed.connect(keep_resolvers)
    database = django_settings.TEST_DATABASE
    if database != "sqlite" and (reason := services.absence_of(database)):
        pytest.exit(reason, returncode=2)


def keep_resolvers(*, setting: str, **_: Any) -> None:
    """Have the resolvers of a URLconf, which is as it was, made once and not for each test."""
    if setting == "ROOT_URLCONF":
        set_urlconf(None)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not read what would not run."""
    is_slow = collection_path.name in SLOW_FOLDERS
    return True if is_slow and "not slow" in config.option.markexpr else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = {item: runs_here(item) for item in items}
    config.hook.pytest_deselected(items=[item for item in items if not here[item]])
    items[:] = [item for item in items if here[item]]
    for item in items:
        if services_of(item):
            item.add_marker("services")
        if item.path.parent.name in SLOW_FOLDERS or is_search(item):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Spare what is there by now from being looked at by each collection of garbage."""
    gc.freeze()


def runs_here(item: pytest.Item) -> bool:
    """Tell whether a test is for the database of this run: ``vendor("postgresql")``.

    One that asks for no database, or searches, runs with SQLite alone: once is enough. With
    SQLite there is each broker, and with the others one.
    """
    database, marker = django_settings.TEST_DATABASE, item.get_closest_marker("vendor")
    if marker is not None or database == "sqlite":
        return marker is None or database in marker.args
    asks = item.get_closest_marker("django_db") or DATABASE_FIXTURES & {*item.fixturenames}
    return bool(asks) and not is_search(item) and services_of(item) <= {BROKER_WITH[database]}


def services_of(item: pytest.Item) -> set[str]:
    """Return the fixtures of services that a test asks for, by name or as a parameter."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    named = {value for value in params.values() if isinstance(value, str)}
    return SERVICE_FIXTURES & {*getattr(item, "fixturenames", ()), *named}


def is_search(item: pytest.Item) -> bool:
    """Tell whether a test tries whatever Hypothesis comes up with."""
    function = getattr(item, "obj", None)
    return item.path.parent.name in SEARCHES or getattr(function, "is_hypothesis_test", False)


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
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Drop what runs that were killed have left; have tests that commit leave nothing."""
    made = [
        connection.alias
        for connection in connections.all()
        if connection.settings_dict["NAME"] == connection.settings_dict["TEST"]["NAME"]
    ]
    with django_db_blocker.unblock():
        shared.drop_dead_databases(connections["default"])
        emptiers = {alias: Emptier(connections[alias]) for alias in made}
    with emptied_by(emptiers):
        yield


@pytest.fixture(scope="session")
def journals_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


@pytest.fixture(autouse=True)
def own_surroundings(settings: Any, journals_folder: Path) -> Iterator[None]:
    """Give each test a journal and queues of its own, no thread, and settings read afresh."""
    name = uuid.uuid4().hex[:12]
    folder = journals_folder / name  # made by the tests that emit
    settings.TRACKABLE_JOURNAL_DIR = str(folder / "journal")
    settings.TRACKABLE_QUEUE_PREFIX = f"trackable-tests.{name}."
    settings.TRACKABLE_FLUSH_THREAD = False
    conf.forget()
    spiders.forget()
    notices.forget()
    yield
    try:
        end_threads()
    finally:
        writer.close()
        conf.forget()
        spiders.forget()
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


def end_threads() -> None:
    """Wait for threads of ours that a test has left, or they log and mail into the next test."""
    for thread in threading.enumerate():
        module = getattr(getattr(thread, "_target", None) or type(thread), "__module__", "")
        if module.startswith("trackable."):
            thread.join(timeout=THREAD_TIMEOUT_SECONDS)
            assert not thread.is_alive(), f"{thread.name} of {module} is still at work."


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
