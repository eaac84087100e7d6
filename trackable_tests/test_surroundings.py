"""What the fixtures promise: each test has its own journal, queues, databases and brokers."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from trackable import conf
from trackable_tests import services, shared
from trackable_tests.conftest import end_threads
from trackable_tests.testapp.models import Page

PRINT_PAGES = """
import django
django.setup()
from trackable import conf
from trackable_tests.testapp.models import Page
print(*Page.objects.values_list("slug", flat=True), conf.get("QUEUE_PREFIX"))
"""


def test_journal_is_the_tests_own_and_made_when_it_is_needed(journals_folder: Path) -> None:
    assert conf.journal_dir().parent.parent == journals_folder
    assert not conf.journal_dir().parent.exists()


def test_threads_of_ours_are_waited_for() -> None:
    end = threading.Event()

    def work() -> None:
        end.wait(30)

    work.__module__ = "trackable.anywhere"
    thread = threading.Thread(target=work)
    thread.start()
    threading.Timer(0.01, end.set).start()
    end_threads()
    assert not thread.is_alive()


def test_default_broker_is_none() -> None:
    assert conf.get("BROKER_URL") is None


@pytest.mark.django_db(databases=["default", "other"])
def test_router_sends_a_model_where_the_test_says(settings: Any) -> None:
    settings.TEST_DATABASE_OF = {"testapp.Page": "other"}
    page = Page.objects.create(title="a", slug="a")
    assert (page._state.db, Page.objects.using("default").count()) == ("other", 0)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_child_sees_the_databases_and_settings(
    child_environment: Callable[..., dict[str, str]],
) -> None:
    Page.objects.create(title="Seen", slug="seen")
    command = [sys.executable, "-W", "error", "-c", PRINT_PAGES]
    run = subprocess.run(
        command, env=child_environment(), capture_output=True, text=True, check=False
    )
    assert (run.stdout.split(), run.stderr) == (["seen", conf.get("QUEUE_PREFIX")], "")


@pytest.mark.django_db
def test_database_carries_the_process_id_or_is_a_file() -> None:
    name = str(connections["default"].settings_dict["NAME"])
    assert name.startswith(services.DATABASE_PREFIX) or Path(name).is_file()


def test_redis_database_is_empty_and_claimed(redis_url: str) -> None:
    with shared._redis(redis_url) as client:
        assert client.keys("*") == [shared.CLAIM_KEY.encode()]
        client.set("something", "left for the fixture to remove")


def test_each_broker_takes_a_connection(broker_url: str | None) -> None:
    from kombu import Connection

    assert conf.get("BROKER_URL") == broker_url
    with Connection(broker_url or "memory://") as connection:
        connection.ensure_connection(max_retries=1)


def test_dead_processes_are_told_from_live_ones() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert shared.is_alive(child.pid)
    child.wait()
    assert not shared.is_alive(child.pid)


def test_absent_service_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKABLE_TEST_REDIS_URL", "redis://127.0.0.1:1/0")
    reason = services.absence_of.__wrapped__("redis")
    assert reason is not None
    assert reason.startswith("redis does not answer at redis://127.0.0.1:1/0: ")


def test_urls_become_database_entries() -> None:
    entry = services.database_at("postgresql", "postgresql://me:p%40ss@db.example:6432/x")
    assert (entry["HOST"], entry["PORT"], entry["PASSWORD"]) == ("db.example", 6432, "p@ss")
