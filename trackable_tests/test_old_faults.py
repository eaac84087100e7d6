"""What django-trackable 0.3.8 got wrong when it ran beside brokers and databases, one by one."""

from __future__ import annotations

import json
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import RequestFactory
from django.utils.module_loading import autodiscover_modules

import trackable
from trackable import batches, broker, conf, flusher, shipping
from trackable.counters import counters_of
from trackable.exceptions import BrokerUnavailable, UnknownField
from trackable.folding.engine import fold
from trackable.journal import segments
from trackable.messaging import process_messages, send_increment_message
from trackable.models import QuarantinedMessage
from trackable.shipping import Shipper
from trackable_tests import gate
from trackable_tests.bounds.threads import in_threads
from trackable_tests.counting import (
    DataClass,
    a_page,
    batch,
    counts,
    emit,
    emit_segment,
    entry,
    fold_until_settled,
    output_of,
    publish_raw,
    reasons,
    start_child,
    through_brokers,
    total,
)
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Link,
    LinkData,
    Page,
    PageData,
    PageParentTotals,
    PageTotals,
)

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Safari/537.36"
)


# two folders on two counters of one row: 298 and 274 of 500 and 500


@committing
def test_two_folders_on_two_counters_of_one_row_overwrite_nothing() -> None:
    page, day = a_page(), "2026-11-21"

    def fold_often(turn: int) -> None:
        field = ("views", "clicks")[turn]
        for _ in range(60):
            fold("testapp.PageData", [batch(PageData, entry(page, field, period=day))])

    in_threads(partial(fold_often, 0), partial(fold_often, 1))
    assert PageData.objects.values_list("views", "clicks").get() == (60, 60)


# four processes emit for a new object at once: 307 of 800 requests raise. And an import before
# the fork: 4 of 1,201 counted


@pytest.mark.slow
@committing
def test_processes_that_emit_for_a_new_object_at_once_lose_and_raise_nothing(
    broker_url: str | None, child_environment: Callable[..., dict[str, str]]
) -> None:
    page = a_page()
    environment = child_environment(TRACKABLE_FLUSH_THREAD=False)
    output_of(start_child("emit_after_fork", environment, page.pk, 3, 300))
    assert process_messages() == 1201
    assert (total(PageData), PageData.objects.count()) == (1201, 1)


def test_an_emit_leaves_the_callers_transaction_alone() -> None:
    with transaction.atomic():
        page = a_page()
        emit(page)
        Page.objects.filter(pk=page.pk).update(title="still possible")
    assert Page.objects.get().title == "still possible"


# a request that is rolled back after its emit leaves a message that blocks the queue


@pytest.mark.parametrize(("data_cls", "set_aside"), [(PageTotals, 0), (PageParentTotals, 1)])
def test_a_request_that_is_rolled_back_blocks_nobody(
    broker_url: str | None, data_cls: DataClass, set_aside: int
) -> None:
    page = a_page()
    with transaction.atomic():
        emit(a_page("gone"), data_cls=data_cls)
        transaction.set_rollback(True)
    emit(page, data_cls=data_cls, times=2)
    process_messages()
    assert (counts(data_cls)[page.pk], len(reasons())) == (2, set_aside)


# eight threads on one connection: 372 of 2,400 counted


def test_threads_that_emit_at_once_lose_nothing() -> None:
    page = a_page()
    in_threads(*[partial(emit, page, times=300)] * 8)
    assert (process_messages(), total(PageData)) == (2400, 2400)


# an options dictionary passed twice counts a different amount the second time


def test_options_are_not_changed_and_not_shared() -> None:
    page, options = a_page(), {"value": 3}
    for _ in range(2):
        assert send_increment_message(None, page, "views", None, options)
    assert send_increment_message(None, page, "views")
    process_messages()
    assert (total(PageData), options) == (7, {"value": 3})


# folding one model takes the others' messages along, and on Redis loses them


def test_folding_one_model_leaves_the_others_messages(broker_url: str | None) -> None:
    page, link = a_page(), Link.objects.create(code="l")
    emit_segment(page, times=2)
    emit_segment(link, times=3)
    assert process_messages(LinkData) == 3
    assert (process_messages(PageData), total(PageData), total(LinkData)) == (2, 2, 3)


# one message with an unknown field, a missing key or an unimportable pickle stops everything
# behind it for good; a pickle with __reduce__ runs code in the folder


class Exploit:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


GOOD: dict[str, Any] = json.loads(batches.encode(batch(PageTotals)))
JSON = {"content_type": "application/json", "content_encoding": "utf-8"}


def as_json(**changed: Any) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


BAD_BODIES = {
    "unknown field": as_json(counts=[["testapp.Page", "", "likes", {"1": 1}]]),
    "missing key": json.dumps({"v": 1, "class": "testapp.PageTotals"}).encode(),
    "garbage": b"\x00\xff garbage",
    "nothing": b"",
    "a list": b"[]",
    "from the future": as_json(v=2),
    "unknown class": as_json(**{"class": "testapp.Gone", "counts": [["a.b", "", "c", {"1": 1}]]}),
    "great number": as_json(counts=[["testapp.Page", "", "views", {"1": 10**999}]]),
    "deep": b"[" * 100_000,
}


def assert_set_aside_once(page: Page) -> None:
    """What is behind the bad message is counted, and the bad one comes into quarantine once."""
    assert process_messages() == 1
    assert counts(PageTotals) == {page.pk: 1}
    assert process_messages() == 0
    assert QuarantinedMessage.objects.count() == 1


@through_brokers
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_message_stops_nothing_behind_it(broker_url: str, body: bytes) -> None:
    publish_raw(broker_url, PageTotals, body, **JSON)
    emit_segment(page := a_page(), data_cls=PageTotals)
    assert_set_aside_once(page)


@through_brokers
def test_a_pickle_is_not_read(broker_url: str, tmp_path: Path) -> None:
    body = pickle.dumps(Exploit(tmp_path / "exploited"))
    kind = "application/x-python-serialize"
    publish_raw(broker_url, PageTotals, body, content_type=kind, content_encoding="binary")
    emit_segment(page := a_page(), data_cls=PageTotals)
    assert_set_aside_once(page)
    assert not (tmp_path / "exploited").exists()


@through_brokers
def test_a_pickle_that_claims_to_be_json_is_not_read(broker_url: str, tmp_path: Path) -> None:
    publish_raw(broker_url, PageTotals, pickle.dumps(Exploit(tmp_path / "exploited")), **JSON)
    emit_segment(page := a_page(), data_cls=PageTotals)
    assert_set_aside_once(page)
    assert not (tmp_path / "exploited").exists()


@pytest.mark.parametrize(
    "body",
    [b"garbage", b"\x80\x04N.", b"{}", b"[1]", b"null", b'{"properties": {}}', b'{"body": "x"}'],
    ids=str,
)
def test_what_is_no_message_of_kombus_stops_nothing(
    redis_url: str, settings: Any, body: bytes
) -> None:
    import redis

    settings.TRACKABLE_BROKER_URL = redis_url
    with redis.Redis.from_url(redis_url) as client:
        client.lpush(broker.queue_name("testapp.PageTotals"), body)
    emit_segment(page := a_page(), data_cls=PageTotals)
    assert_set_aside_once(page)


@pytest.mark.parametrize("removed", [False, True])
@through_brokers
def test_bad_messages_can_be_dropped_instead(broker_url: str, settings: Any, removed: bool) -> None:
    settings.TRACKABLE_REMOVE_MALFORMED_MESSAGES = removed
    publish_raw(broker_url, PageTotals, b"garbage", **JSON)
    assert process_messages() == 0
    assert QuarantinedMessage.objects.count() == (0 if removed else 1)


# object_id is accepted as a counter, and the fold then moves the row to another object


@for_each("name", ["object_id", "id", "content_type", "parent", "collected_during"])
def test_a_key_is_no_counter(name: str, settings: Any) -> None:
    settings.DEBUG = True
    page, link = a_page(), Link.objects.create(code="l")
    assert name not in counters_of(PageData)
    for obj in (page, link):
        with pytest.raises(UnknownField, match=name):
            send_increment_message(None, obj, name)
    fold("testapp.PageTotals", [batch(PageTotals, entry(page), entry(page, name))])
    assert (counts(PageTotals), len(reasons())) == ({page.pk: 1}, 1)


# the broker away: with DEBUG an exception on import, without it silent loss, and no reconnection
# until a restart; a broker that hangs blocks the request for ever


@pytest.fixture(params=["redis", "amqp"])
def scheme(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.TRACKABLE_BROKER_TIMEOUT = 0.1
    settings.TRACKABLE_FLUSH_INTERVAL = 0.05
    return str(request.param)


@pytest.mark.parametrize("debug", [True, False])
def test_an_absent_broker_fails_no_request_and_loses_nothing(
    scheme: str, debug: bool, settings: Any
) -> None:
    settings.DEBUG = debug
    settings.TRACKABLE_BROKER_URL = f"{scheme}://127.0.0.1:1//"
    emit(a_page(), times=3)
    with pytest.raises(BrokerUnavailable):
        process_messages()
    settings.TRACKABLE_BROKER_URL = None
    assert (process_messages(), total(PageData)) == (3, 3)


@pytest.fixture
def flushing(settings: Any) -> Iterator[None]:
    """Let the thread of this process run meanwhile."""
    settings.TRACKABLE_FLUSH_THREAD = True
    yield
    flusher.finish()


@pytest.mark.parametrize("accepting", [True, False], ids=["silent", "swallowing"])
def test_a_broker_that_hangs_does_not_hold_up_an_emit(
    scheme: str, accepting: bool, settings: Any, flushing: None
) -> None:
    settings.TRACKABLE_EXIT_TIMEOUT = 0.1
    with gate.silence(accepting=accepting) as port:
        settings.TRACKABLE_BROKER_URL = f"{scheme}://127.0.0.1:{port}//"
        page = a_page()
        emit(page)
        before = time.monotonic()
        emit(page, times=500)
        assert time.monotonic() - before < 10
        flusher.finish()
        with pytest.raises(BrokerUnavailable):
            process_messages()
        assert time.monotonic() - before < 30
    settings.TRACKABLE_BROKER_URL = None
    assert (process_messages(), total(PageData)) == (501, 501)


@through_brokers
def test_a_broker_that_comes_back_is_found_without_a_restart(
    broker_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "FIRST_PAUSE_SECONDS", 0.0)
    with gate.in_front_of(broker_url) as way:
        settings.TRACKABLE_BROKER_URL = way.url
        page, shipper = a_page(), Shipper(conf.journal_dir())
        for is_there in (False, True, False, True):
            if is_there:
                way.open()
            emit_segment(page)
            assert shipper.ship() is is_there
            if is_there:
                way.shut()
        assert segments.listing(conf.journal_dir(), segments.SEALED) == []
        shipper.close()
    settings.TRACKABLE_BROKER_URL = broker_url
    fold_until_settled()
    assert total(PageData) == 4


# spider matching the wrong way round: curl/7.81.0 passes with curl on the list, a bare
# Mozilla/5.0 is filtered, no user agent raises NameError


@for_each(
    "agent, is_counted",
    [
        ("curl/7.81.0", False),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", False),
        ("Mozilla/5.0", True),
        (CHROME, True),
    ],
)
def test_a_part_of_the_name_makes_a_crawler(agent: str, is_counted: bool, settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    page, request = a_page(), RequestFactory(headers={"User-Agent": agent}).get("/")
    assert send_increment_message(request, page, "views") is is_counted
    assert process_messages() == is_counted


@pytest.mark.parametrize("is_spider", [True, False])
def test_no_user_agent_is_a_setting(is_spider: bool, settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    settings.TRACKABLE_MISSING_USER_AGENT_IS_SPIDER = is_spider
    assert send_increment_message(RequestFactory().get("/"), a_page(), "views") is not is_spider


# autodiscover() and generate_csv do not even run


def test_autodiscovery_runs() -> None:
    before = trackable.site.data_classes()
    autodiscover_modules("trackabledata", register_to=trackable.site)
    assert trackable.site.data_classes() == before
    assert PageData in before


def test_generate_csv_runs(capsys: pytest.CaptureFixture[str]) -> None:
    emit(a_page(), times=3)
    process_messages()
    call_command("generate_csv", "--model", "testapp.Page")
    assert len(capsys.readouterr().out.splitlines()) == 2


# its cost: 1 query and 0.7 to 1.2 ms an emit, 5 queries and 6 statements a message to fold


def test_an_emit_runs_no_query_and_opens_no_socket(
    settings: Any, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("an emit opened a socket")

    settings.TRACKABLE_USER_AGENT_FILTERING = True
    settings.TRACKABLE_BROKER_URL = "redis://127.0.0.1:1/0"
    page, request = a_page(), RequestFactory(headers={"User-Agent": CHROME}).get("/")
    assert send_increment_message(request, page, "views")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with django_assert_num_queries(0):
        for data_cls in (PageData, PageTotals, PageParentTotals):
            assert send_increment_message(request, page, "views", data_cls)


def test_a_thousand_hits_fold_in_a_few_statements(django_assert_max_num_queries: Any) -> None:
    page = a_page()
    for _ in range(10):
        emit_segment(page, times=100)
    with django_assert_max_num_queries(12):
        assert process_messages() == 1000
    assert total(PageData) == 1000
