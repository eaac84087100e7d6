"""The Celery task: scheduled by itself, alone on its machine, and counted on real workers."""

import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.beat import ScheduleEntry, Service
from celery.signals import beat_init
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from trackable import batches, conf, tasks
from trackable.exceptions import BrokerUnavailable
from trackable.folding import ledger
from trackable.journal import segments, writer
from trackable.journal.locks import MachineLock
from trackable.journal.segments import OPEN, SHIPPED
from trackable.messaging import process_messages
from trackable.models import LedgerEntry
from trackable.tasks import NAME, CollectTrackingData
from trackable_tests.counting import a_page, emit, total
from trackable_tests.testapp.models import PageData

DEADLINE_SECONDS = 30
MINE = {"mine": {"task": "celery.backend_cleanup", "schedule": 3600}}


def an_app(**configuration: Any) -> Celery:
    """Return an app that has found its tasks, as beat's and the worker's have."""
    app = Celery("one of the tests'", set_as_current=False)
    app.conf.update(broker_url="memory://", **configuration)
    app.autodiscover_tasks(force=True)
    app.finalize()
    return app


def old_entry(alias: str = "default") -> str:
    long_ago = timezone.now() - timedelta(days=30)
    batch_id = batches.batch_id(batches.id_time(long_ago.timestamp()), uuid.uuid4().hex)
    ids = {"batch_id": batch_id, "fold_id": uuid.uuid4().hex}
    entry = LedgerEntry(**ids, data_class="testapp.PageData", folded_at=long_ago)
    entry.save(using=alias, force_insert=True)
    return entry.pk


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_task_is_scheduled_beside_the_users_own(settings: Any) -> None:
    settings.TRACKABLE_COLLECTION_PERIOD = 600
    app = an_app(beat_schedule=MINE)
    entry = {"task": NAME, "schedule": 600, "options": {"expires": 600}}
    assert app.conf.beat_schedule == {**MINE, NAME: entry}
    assert (NAME in app.tasks, set(MINE)) == (True, {"mine"})


def test_task_is_not_scheduled_if_disabled(settings: Any) -> None:
    settings.TRACKABLE_DISABLE_COLLECTION_TASK = True
    app = an_app(beat_schedule=MINE)
    assert (app.conf.beat_schedule, NAME in app.tasks) == (MINE, True)


def test_users_own_entry_for_the_task_stays_the_only_one() -> None:
    own = {"nightly": {"task": NAME, "schedule": 86400}}
    assert an_app(beat_schedule=own).conf.beat_schedule == own
    own = {"nightly": ScheduleEntry("nightly", NAME, schedule=86400)}
    assert an_app(beat_schedule=own).conf.beat_schedule == own


def test_schedule_that_is_set_late_gets_the_task_when_beat_starts() -> None:
    app = an_app()
    app.conf.beat_schedule = dict(MINE)
    beat_init.send(sender=Service(app))
    assert set(app.conf.beat_schedule) == {"mine", NAME}


@pytest.mark.django_db
def test_task_folds_and_returns_the_number() -> None:
    emit(a_page(), times=3)
    assert (CollectTrackingData.apply().result, total(PageData)) == (3, 3)
    assert (CollectTrackingData(), CollectTrackingData.ignore_result) == (0, True)


@pytest.mark.django_db
def test_later_of_two_runs_returns_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    emit(a_page())
    other = MachineLock(conf.journal_dir() / tasks.LOCK_NAME)
    assert other.acquire()
    assert CollectTrackingData() == 0
    other.release()
    assert CollectTrackingData() == 1


@pytest.mark.django_db
def test_lock_is_free_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "process_messages", raising(OperationalError("no database")))
        with pytest.raises(OperationalError):
            CollectTrackingData()
    assert MachineLock(conf.journal_dir() / tasks.LOCK_NAME).acquire()


def test_absent_broker_is_logged_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "process_messages", raising(BrokerUnavailable("refused")))
    assert CollectTrackingData() == 0
    assert [(r.levelname, r.exc_info) for r in caplog.records] == [("ERROR", None)]
    assert "refused" in caplog.text


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.django_db(databases=["default", "other"])
def test_ledgers_of_all_databases_are_pruned(settings: Any) -> None:
    settings.TEST_DATABASE_OF = {"testapp.LinkData": "other"}
    old_entry("default")
    old_entry("other")
    assert (ledger.prune_all(), ledger.prune_all()) == (2, 0)


class Project:
    """A project with a Celery app, whose processes are started and its tasks sent."""

    def __init__(self, environment: Callable[..., dict[str, str]], url: str, folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.queue = f"trackable-tests-{uuid.uuid4().hex}"
        self.broker = {"CELERY_BROKER_URL": url, "CELERY_TASK_DEFAULT_QUEUE": self.queue}
        self.sender = Celery(broker=url, set_as_current=False)

    def start(self, *arguments: str, **settings: Any) -> subprocess.Popen[bytes]:
        """Start ``celery <arguments>``: trackable's broker is the app's."""
        environment = self.environment(TRACKABLE_BROKER_URL=None, **self.broker, **settings)
        environment["DJANGO_SETTINGS_MODULE"] = "trackable_tests.celery.settings"
        command = [sys.executable, "-m", "celery", "-A", "trackable_tests.celery.app"]
        with (self.folder / f"{arguments[0]}.log").open("w") as log:
            process = subprocess.Popen(
                [*command, *arguments, "--loglevel", "INFO"],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def send(self, task: str, *arguments: object) -> None:
        name = f"trackable_tests.celery.app.{task}"
        self.sender.send_task(name, arguments, queue=self.queue, ignore_result=True)

    def is_idle(self, *, tasks_sent: int) -> bool:
        """Tell whether all tasks are done and acknowledged.

        A signal in the middle of an acknowledgement may leave Celery waiting for a lock of its own.
        """
        done = (self.folder / "worker.log").read_text().count(" succeeded in ")
        url = self.broker["CELERY_BROKER_URL"]
        if done < tasks_sent or not url.startswith("redis"):
            return done >= tasks_sent
        with redis.Redis.from_url(url) as client:
            return not any(client.scan_iter("*unacked"))

    def close(self) -> None:
        for process in self.processes:
            stop(process)
        self.sender.close()
        for log in self.folder.glob("*.log"):
            print(log.read_text())


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
    """Ask a process to end, and return its exit status."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(DEADLINE_SECONDS)
    finally:
        process.kill()


@pytest.fixture
def project(
    child_environment: Callable[..., dict[str, str]], real_broker_url: str, tmp_path: Path
) -> Iterator[Project]:
    project = Project(child_environment, real_broker_url, tmp_path)
    yield project
    project.close()


def journal_states() -> Counter[str]:
    """Return the number of lines in segments of each state."""
    found: Counter[str] = Counter()
    for segment in segments.listing(conf.journal_dir()):
        with suppress(FileNotFoundError):
            found[segment.state] += segment.read().count(b"\n")
    return found


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_beat_and_worker_collect_without_code_of_the_users(project: Project) -> None:
    emit(a_page(), times=50)
    writer.close()
    entry = old_entry()
    project.start("worker", "--concurrency", "1", TRACKABLE_COLLECTION_PERIOD=1)
    project.start("beat", "--max-interval", "1", TRACKABLE_COLLECTION_PERIOD=1)
    until(lambda: total(PageData) == 50)
    until(lambda: not LedgerEntry.objects.filter(pk=entry).exists())
    assert (total(PageData), process_messages()) == (50, 0)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_what_tasks_emit_is_shipped_when_the_worker_ends(project: Project) -> None:
    check_that_all_is_shipped(project, "prefork", signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("real_broker_url", ["redis_url"], indirect=True)
@pytest.mark.parametrize(
    ("pool", "number"), [("prefork", signal.SIGQUIT), ("threads", signal.SIGTERM)]
)
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_other_pools_and_cold_ends_ship_as_well(
    project: Project, pool: str, number: signal.Signals
) -> None:
    check_that_all_is_shipped(project, pool, number)


def check_that_all_is_shipped(project: Project, pool: str, number: signal.Signals) -> None:
    page = a_page()
    options = ("--concurrency", "2", "--pool", pool)
    worker = project.start("worker", *options, TRACKABLE_FLUSH_INTERVAL=60)
    for _ in range(20):
        project.send("emit_views", page.pk, 50)
    until(lambda: journal_states() == {OPEN: 1000})
    until(lambda: project.is_idle(tasks_sent=20))
    assert stop(worker, number) == 0
    assert journal_states() == {SHIPPED: 1000}
    assert process_messages() == 1000
    assert (total(PageData), process_messages()) == (1000, 0)


SITE = """
import sys, threading
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "trackable"], USE_TZ=True)
import django
django.setup()
from trackable import broker
{code}
found = [broker.is_configured()]
thread = threading.Thread(target=lambda: found.append(broker.is_configured()))
thread.start()
thread.join()
print(*found, "celery" in sys.modules)
"""
WITHOUT_CELERY = {
    "": "False False False",
    "settings.TRACKABLE_BROKER_URL = None": "False False False",
    "settings.TRACKABLE_BROKER_URL = 'memory://'; broker.connect(1)": "True True False",
}
WITH_CELERY = {
    "from celery import Celery; app = Celery(broker='redis://203.0.113.1/0')": "True True True",
    "from celery import Celery; app = Celery()": "False False True",
    "from celery import shared_task": "False False True",
    "from celery import current_app; current_app.conf.broker_url": "False False True",
}


@pytest.mark.slow
@pytest.mark.parametrize(("code", "result"), [*WITHOUT_CELERY.items(), *WITH_CELERY.items()])
def test_broker_is_celerys_where_none_is_set(code: str, result: str) -> None:
    """In every thread alike, and without importing Celery."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SITE.format(code=code)],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout.strip(), run.stderr) == (result, "")
