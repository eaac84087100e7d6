"""trackable.testing keeps what is emitted in a list, and folds it when asked."""

import os
import subprocess
import sys
import threading
import unittest
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import RequestFactory, TestCase, override_settings

from trackable import broker, conf, flusher
from trackable.diversion import receivers
from trackable.exceptions import UnknownField, UnsavedObject
from trackable.journal import segments, writer
from trackable.messaging import (
    process_messages,
    send_decrement_message,
    send_increment_message,
)
from trackable.models import FilteredHits, LedgerEntry
from trackable.testing import Increment, Outbox, TrackableTestMixin, capture, trackable_outbox
from trackable_tests.testapp.models import Page, PageData, PageHours, PageTotals

WHEN = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)

__all__ = ["trackable_outbox"]


@pytest.fixture
def page() -> Page:
    return Page(pk=7, title="Seven", slug="seven")


@pytest.fixture
def saved_page(db: None) -> Page:
    return Page.objects.create(title="Seven", slug="seven")


def views(page: Page, data_cls: Any = PageData) -> int:
    return sum(data_cls.objects.filter(object_id=page.pk).values_list("views", flat=True))


def test_increment_is_in_the_list(trackable_outbox: Outbox, page: Page) -> None:
    send_increment_message(None, page, "views", options={"value": 3, "when": WHEN})
    assert trackable_outbox == [
        Increment("testapp.PageData", "testapp.Page", "7", "views", 3, date(2026, 3, 4))
    ]


def test_amounts_and_periods_have_their_types(trackable_outbox: Outbox, page: Page) -> None:
    send_decrement_message(None, page, "revenue", options={"value": Decimal("1.50")})
    send_increment_message(None, page, "views", PageTotals)
    send_increment_message(None, page, "views", PageHours, {"when": WHEN})
    assert [i.amount for i in trackable_outbox] == [Decimal("-1.50"), 1, 1]
    assert trackable_outbox[1].collected_during is None
    assert trackable_outbox[2].collected_during == WHEN.replace(minute=0)


def test_each_outbox_starts_empty_and_the_inner_one_receives(page: Page) -> None:
    with capture() as outer:
        with capture() as inner:
            send_increment_message(None, page, "views")
        send_increment_message(None, page, "clicks")
    assert [i.field_name for i in inner] == ["views"]
    assert [i.field_name for i in outer] == ["clicks"]


def test_nothing_is_written_and_no_thread_starts(
    trackable_outbox: Outbox, page: Page, settings: Any, tmp_path: Path
) -> None:
    settings.TRACKABLE_FLUSH_THREAD = True
    settings.TRACKABLE_BROKER_URL = "redis://203.0.113.1/0"
    threads = threading.active_count()
    assert send_increment_message(None, page, "views") is True
    process_messages(PageTotals)
    flusher.finish()
    assert (threading.active_count(), list(tmp_path.iterdir())) == (threads, [])
    assert writer.existing() is None


def test_overridden_journal_settings_leave_the_outbox_in_place(
    trackable_outbox: Outbox, page: Page, tmp_path: Path
) -> None:
    with override_settings(TRACKABLE_JOURNAL_DIR=str(tmp_path / "a")):
        send_increment_message(None, page, "views")
    send_increment_message(None, page, "views")
    assert (len(trackable_outbox), list(tmp_path.iterdir())) == (2, [])


def test_journal_receives_again_afterwards(page: Page) -> None:
    with capture() as outbox:
        pass
    send_increment_message(None, page, "views")
    writer.close()
    assert (outbox, len(segments.listing(conf.journal_dir()))) == ([], 1)


def test_errors_of_the_program_raise(trackable_outbox: Outbox, page: Page) -> None:
    with pytest.raises(UnknownField):
        send_increment_message(None, page, "vews")


def test_crawlers_are_counted_as_filtered(
    trackable_outbox: Outbox, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackable.messaging._spider_pattern", lambda _request: "bot")
    request = RequestFactory().get("/")
    assert send_increment_message(request, page, "views") is False
    assert (trackable_outbox, trackable_outbox.filtered) == ([], {"testapp.PageData": 1})
    trackable_outbox.clear()
    assert trackable_outbox.filtered == {}


def test_of_and_total_tell_counters_apart(trackable_outbox: Outbox, page: Page) -> None:
    send_increment_message(None, page, "views", options={"value": 5})
    send_decrement_message(None, page, "views", options={"value": 2})
    send_increment_message(None, page, "clicks")
    send_increment_message(None, page, "views", PageTotals)
    assert trackable_outbox.total(page, "views") == 4
    assert trackable_outbox.total(page, "views", PageTotals) == 1
    assert len(trackable_outbox.of(page, "views", PageData)) == 2
    assert trackable_outbox.of(Page(pk=8), "views") == []


@pytest.mark.parametrize(
    ("obj", "field_name", "error"),
    [(Page(pk=7), "vews", UnknownField), (Page(), "views", UnsavedObject)],
)
def test_of_refuses_what_could_never_be_emitted(
    trackable_outbox: Outbox, obj: Page, field_name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        trackable_outbox.of(obj, field_name)


def test_fold_writes_the_rows_once(trackable_outbox: Outbox, saved_page: Page) -> None:
    send_increment_message(None, saved_page, "views", options={"value": 2})
    send_increment_message(None, saved_page, "views", PageTotals)
    assert (trackable_outbox.fold(), trackable_outbox.fold()) == (2, 0)
    send_increment_message(None, saved_page, "views")
    assert trackable_outbox.fold() == 1
    assert (views(saved_page), views(saved_page, PageTotals)) == (3, 1)
    assert len(trackable_outbox) == 3


def test_what_was_removed_is_not_folded(trackable_outbox: Outbox, saved_page: Page) -> None:
    for _ in range(3):
        send_increment_message(None, saved_page, "views")
    del trackable_outbox[0]
    assert trackable_outbox.fold() == 2
    send_increment_message(None, saved_page, "views")
    trackable_outbox.clear()
    assert trackable_outbox.fold() == 0
    assert views(saved_page) == 2


def test_process_messages_folds_one_class_of_the_outbox(
    trackable_outbox: Outbox, saved_page: Page
) -> None:
    send_increment_message(None, saved_page, "views")
    send_increment_message(None, saved_page, "views", PageTotals)
    assert process_messages(PageTotals) == 1
    assert (views(saved_page), views(saved_page, PageTotals)) == (0, 1)
    assert process_messages() == 1


def test_command_and_task_fold_the_outbox(
    trackable_outbox: Outbox, saved_page: Page, tmp_path: Path
) -> None:
    from trackable.tasks import CollectTrackingData

    send_increment_message(None, saved_page, "views")
    call_command("fold_trackable_messages", verbosity=0)
    send_increment_message(None, saved_page, "views")
    assert CollectTrackingData.apply().result == 1
    assert (views(saved_page), list(tmp_path.iterdir())) == (2, [])


def test_filtered_hits_reach_the_ledger(
    trackable_outbox: Outbox, saved_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackable.messaging._spider_pattern", lambda _request: "bot")
    send_increment_message(RequestFactory().get("/"), saved_page, "views")
    assert trackable_outbox.fold() == 0
    assert LedgerEntry.objects.get(data_class="testapp.PageData").filtered == 1
    assert FilteredHits.objects.values_list("object_id", "hits").get() == ("bot", 1)


class MixinTests(TrackableTestMixin, TestCase):
    """As a user would write it."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.page = Page.objects.create(title="Seven", slug="seven")
        send_increment_message(None, cls.page, "views")

    def setUp(self) -> None:
        self.assertEqual(self.trackable_outbox, [])  # noqa: PT009

    def test_fold_works_in_a_test_case(self) -> None:
        send_increment_message(None, self.page, "views")
        assert self.trackable_outbox.fold() == 1
        assert views(self.page) == 1

    def test_assertions_pass(self) -> None:
        self.assertNotIncremented(self.page, "views")
        send_increment_message(None, self.page, "views", options={"value": 2})
        self.assertIncremented(self.page, "views")
        self.assertIncremented(self.page, "views", amount=2)
        self.assertIncremented(self.page, "views", times=1, amount=2, data_cls=PageData)
        self.assertNotIncremented(self.page, "views", data_cls=PageTotals)
        self.assertNotIncremented(self.page, "clicks")

    def test_decrement_is_no_increment(self) -> None:
        send_decrement_message(None, self.page, "views")
        self.assertNotIncremented(self.page, "views")
        self.assertIncremented(self.page, "views", amount=-1)

    def test_assertions_fail(self) -> None:
        with pytest.raises(AssertionError, match=r"^0 != 1 : times that views of <Page: Seven>"):
            self.assertIncremented(self.page, "views")
        send_increment_message(None, self.page, "views")
        with pytest.raises(AssertionError, match=r"^1 != 2 : sum .*field_name='views'"):
            self.assertIncremented(self.page, "views", amount=2)
        with pytest.raises(AssertionError):
            self.assertNotIncremented(self.page, "views")


def test_mixin_leaves_nothing_behind(tmp_path: Path) -> None:
    class Case(TrackableTestMixin, unittest.TestCase):
        def test(self) -> None:
            send_increment_message(None, Page(pk=7), "views")

    result = unittest.TestResult()
    unittest.TestSuite([Case("test")]).run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])
    assert (receivers, list(tmp_path.iterdir())) == ([], [])


USERS_CONFTEST = 'pytest_plugins = ["trackable.pytest_plugin"]'
USERS_TESTS = """
from trackable.messaging import send_increment_message
from trackable_tests.testapp.models import Page

def test_page_is_counted(trackable_outbox):
    send_increment_message(None, Page(pk=7), "views")
    assert trackable_outbox.total(Page(pk=7), "views") == 1
"""


@pytest.mark.slow
def test_plugin_gives_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(USERS_CONFTEST)
    (tmp_path / "test_pages.py").write_text(USERS_TESTS)
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    run = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "trackable_tests.settings",
            "PYTHONPATH": str(settings.BASE_DIR),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.splitlines()[-1].startswith("1 passed"), run.stdout + run.stderr


UNPROTECTED_TESTS = """
import django
from django.conf import settings
settings.configure(
    BASE_DIR={base!r},
    INSTALLED_APPS=["django.contrib.contenttypes", "trackable", "trackable_tests.testapp"],
    TESTAPP_SWAPPED_MODEL="testapp.Unregistered",
    USE_TZ=True,
)
django.setup()
from django.test.utils import setup_test_environment, teardown_test_environment
setup_test_environment()

import os, threading
from celery import Celery
from trackable import broker, conf
from trackable.messaging import send_increment_message
from trackable_tests.testapp.models import Page
app = Celery(broker="redis://203.0.113.1/0")
assert send_increment_message(None, Page(pk=7), "views")
threads = threading.active_count()
directory = conf.journal_dir()
if not os.fork():
    assert send_increment_message(None, Page(pk=7), "views")
    assert conf.journal_dir() != directory and conf.journal_dir().exists()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
teardown_test_environment()
print(directory, directory.exists(), threads, broker.is_configured())
"""


@pytest.mark.slow
def test_tests_without_an_outbox_keep_away_from_the_site(tmp_path: Path) -> None:
    code = UNPROTECTED_TESTS.format(base=str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(settings.BASE_DIR), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.stderr == ""
    directory, *rest = run.stdout.split()
    assert (rest, Path(directory).parent.parent) == (["True", "1", "False"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_settings_that_are_set_hold_in_tests_too(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = "redis://203.0.113.1/0"
    settings.TRACKABLE_FLUSH_THREAD = True
    assert broker.is_configured()
    assert conf.get("FLUSH_THREAD") is True
    del settings.TRACKABLE_FLUSH_THREAD
    assert conf.get("FLUSH_THREAD") is False
