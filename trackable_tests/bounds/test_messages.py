"""What can come in a queue or in a segment: too long, too many, unknown, doubled, outdated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.apps import apps
from django.utils import timezone

import trackable
from trackable import batches, broker, conf, counting, shipping
from trackable.batches import Entry
from trackable.broker import Broker
from trackable.exceptions import BadMessage
from trackable.folding import collect as collecting
from trackable.folding import engine, ledger
from trackable.folding.collect import collect
from trackable.folding.engine import FoldReport, fold
from trackable.journal import lines, segments
from trackable.journal.segments import SEALED, SHIPPED, TIME_LENGTH
from trackable.messaging import process_messages
from trackable.models import LedgerEntry, QuarantinedMessage
from trackable_tests.counting import (
    a_page,
    batch,
    counts,
    emit,
    emit_segment,
    entry,
    fold_until_settled,
    publish_raw,
    reasons,
    through_brokers,
    total,
)
from trackable_tests.testapp.models import Page, PageData, PageParentTotals, PageTotals

TOTALS = "testapp.PageTotals"
MIB = 1 << 20
LONG = 100 * MIB
MANY = 10_000
#: in seconds; of this process's time where nobody else's counts, since machines are busy
SOON = 20.0

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)


# a message that is too long


@pytest.fixture(params=["redis_url", "rabbitmq_url", "filesystem"])
def queues(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> None:
    """Run the test with brokers that keep their messages in memory, on disk and in files."""
    # A message of this size takes a while on a busy machine.
    settings.TRACKABLE_BROKER_TIMEOUT = 20
    if request.param != "filesystem":
        settings.TRACKABLE_BROKER_URL = request.getfixturevalue(request.param)
        return
    folder = tmp_path / "queues"
    folder.mkdir()
    settings.TRACKABLE_BROKER_URL = "filesystem://"
    settings.TRACKABLE_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
    }


def put(source: Broker, body: bytes, content_type: str = "application/json") -> None:
    """Put a message into the queue of ``PageTotals`` as anybody could."""
    name = broker.queue_name(TOTALS)
    source._producer(name).publish(
        body, exchange="", routing_key=name, content_type=content_type, content_encoding="utf-8"
    )


@pytest.fixture
def measured(child_environment: Any) -> Callable[[str], dict[str, Any]]:
    """Do something in a process of its own; return what it printed, and its peak of memory."""

    def run(role: str) -> dict[str, Any]:
        names = ("BROKER_TIMEOUT", "BROKER_TRANSPORT_OPTIONS")
        environment = child_environment(**{f"TRACKABLE_{n}": conf.get(n) for n in names})
        done = subprocess.run(
            [sys.executable, "-m", "trackable_tests.bounds.folder", role],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return run


@committing
@pytest.mark.slow
@pytest.mark.services
@pytest.mark.vendor("sqlite")
def test_a_message_of_100_mb_is_set_aside_once_and_alone(
    queues: None, measured: Callable[[str], dict[str, Any]]
) -> None:
    page = a_page()
    with Broker() as source:
        source.publish(batch(PageTotals, entry(page, amount=3)))
        put(source, b'"' + b"x" * LONG + b'"')
        source.publish(batch(PageTotals, entry(page, amount=4)))
    found = measured("fold")
    assert (found["increments"], found["batches"], found["quarantined"]) == (2, 3, 1)
    assert counts(PageTotals) == {page.pk: 7}
    [kept] = QuarantinedMessage.objects.all()
    assert kept.reason == f"{LONG + 2} bytes are more than a batch can have"
    assert len(kept.payload) <= batches.MAX_KEPT_BYTES
    assert found["peak_bytes"] - found["before_bytes"] < 8 * LONG
    assert found["cpu_seconds"] < SOON
    assert measured("fold")["batches"] == 0
    with Broker() as source:
        assert source.claim(TOTALS) is None


def test_of_long_messages_one_at_a_time_is_in_memory(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def seen(label: str, group: list[Any]) -> FoldReport:
        sizes.append(len(group))
        return FoldReport(batches=len(group))

    monkeypatch.setattr(collecting, "fold", seen)
    long = [batches.Malformed.of(TOTALS, bytes([n]), "too long") for n in range(3)]
    claims = iter([broker.Claim(each, None, LONG) for each in long])
    collecting._Collector(None, None).fold_all(claims, None)
    assert sizes == [1, 1, 1]


def a_batch_with(counts: bytes) -> bytes:
    head = b'{"v":1,"id":"' + b"0" * 32 + b'","class":"testapp.PageTotals","filtered":0,'
    return head + b'"dropped":0,"counts":[["testapp.Page","","views",' + counts + b"]]}"


ODD: dict[str, Callable[[int], bytes]] = {
    "nested lists": lambda size: b"[" * size,
    "nested objects": lambda size: b'{"v":' * (size // 5),
    "one string": lambda size: b'"' + b"x" * size + b'"',
    "one number": lambda size: b"1" * size,
    "blanks": lambda size: b" " * size,
    "backslashes": lambda size: b'"' + rb"\u0000" * (size // 6) + b'"',
    "small lists": lambda size: b"[" + b"[]," * (size // 3) + b"[]]",
    "one long field": lambda size: a_batch_with(b'{"' + b"9" * size + b'":1}'),
    "entries": lambda size: a_batch_with(b"{" + b'"1":1,' * (size // 6) + b'"1":1}'),
}


@pytest.mark.parametrize("kind", ODD)
def test_whatever_is_long_is_read_or_refused_with_a_short_reason(kind: str) -> None:
    body = ODD[kind](MIB)
    if kind in ("one long field", "entries"):
        assert len(batches.decode(body).entries) == 1
        return
    with pytest.raises(BadMessage) as caught:
        batches.decode(body)
    assert 0 < len(str(caught.value)) < 300


@committing
@pytest.mark.slow
@pytest.mark.vendor("sqlite")
def test_the_longest_messages_that_are_read_take_bounded_memory(
    measured: Callable[[str], dict[str, Any]],
) -> None:
    found = measured("decode")
    assert found["read"] == ["one long field"]
    assert found["peak_bytes"] - found["before_bytes"] < 8 * batches.MAX_MESSAGE_BYTES
    assert found["cpu_seconds"] < SOON


def test_a_batch_with_too_many_entries_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = batch(PageTotals, *(entry(Page(pk=pk)) for pk in range(1, 40)))
    body = batches.encode(sent)
    assert batches.decode(body) == sent
    monkeypatch.setattr(batches, "MAX_MARKS", 80)
    with pytest.raises(BadMessage, match=r"more entries in \d+ bytes than a batch can have"):
        batches.decode(body)


def test_marks_in_an_object_id_are_no_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = entry(Page(pk=1))._replace(object_id='a,b:c,d\\":,' * 20)
    sent = batch(PageTotals, odd)
    monkeypatch.setattr(batches, "MAX_MARKS", 60)
    assert batches.decode(batches.encode(sent)) == sent


def test_a_segment_as_full_as_can_be_makes_a_batch_that_is_read() -> None:
    # The shortest lines that there are, all of different counters that have no group in common.
    found = [lines.encode("a.A", "a.B", str(n), str(n % 7), "v", 2) for n in range(2000)]
    content = b"".join(found)
    [sent] = counting.of_lines(segments.new_id(), content)
    body = batches.encode(sent)
    assert batches.decode(body).hits == len(found)
    times = conf.DEFAULTS["JOURNAL_SEGMENT_BYTES"] / len(content)
    assert (body.count(b",") + body.count(b":")) * times < batches.MAX_MARKS / 2
    assert len(body) * times < batches.MAX_MESSAGE_BYTES / 4


@committing
@through_brokers
@pytest.mark.parametrize("codec", ["zlib", "none such"])
def test_what_claims_to_be_compressed_stops_no_fold(broker_url: str, codec: str) -> None:
    page = a_page()
    emit(page, data_cls=PageTotals)
    kinds = {"content_type": "application/json", "content_encoding": "utf-8"}
    publish_raw(broker_url, PageTotals, b"garbage", headers={"compression": codec}, **kinds)
    for _ in range(2):
        process_messages()
    assert (counts(PageTotals), len(reasons())) == ({page.pk: 1}, 1)
    with Broker() as source:
        assert source.depth(TOTALS) == 0


# very many of what nobody knows


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The folds that are done: of what, and of how many batches."""
    seen: list[tuple[str, int]] = []

    def fold(label: str, group: list[Any]) -> FoldReport:
        seen.append((label, len(group)))
        return engine.fold(label, group)

    monkeypatch.setattr(collecting, "fold", fold)
    return seen


def write_segment(*found: bytes) -> segments.Segment:
    directory = conf.journal_dir()
    directory.mkdir(parents=True, exist_ok=True)
    segment = segments.Segment(segments.new_id(), SEALED, directory)
    segment.path.write_bytes(b"".join(found))
    return segment


@pytest.mark.slow
def test_ten_thousand_unknown_classes_in_a_segment_are_one_fold(
    folds: list[tuple[str, int]],
) -> None:
    page = a_page()
    known = lines.encode(TOTALS, "testapp.Page", str(page.pk), "", "views", 1)
    unknown = [lines.encode(f"gone.Class{n}", "testapp.Page", "1", "", "v", 1) for n in range(MANY)]
    write_segment(known, *unknown)
    started = time.process_time()
    report = collect()
    assert time.process_time() - started < SOON
    assert (report.increments, report.quarantined) == (1, MANY)
    assert sorted(folds) == [(TOTALS, 1), (broker.UNKNOWN, MANY)]
    assert QuarantinedMessage.objects.values("data_class").distinct().count() == MANY
    assert segments.listing(conf.journal_dir(), SEALED) == []
    assert collect() == FoldReport()


@pytest.mark.slow
@through_brokers
def test_a_thousand_unknown_classes_go_through_one_queue(
    broker_url: str, folds: list[tuple[str, int]]
) -> None:
    write_segment(
        *(lines.encode(f"gone.Class{n}", "testapp.Page", "1", "", "v", 1) for n in range(1000))
    )
    with Broker() as source:
        shipping.ship_until(conf.journal_dir(), time.monotonic() + SOON)
        assert source.depth(broker.UNKNOWN) == 1000
    assert collect().quarantined == 1000
    assert folds == [(broker.UNKNOWN, 1000)]


def odd_entries(kind: str) -> list[Entry]:
    good = Entry("testapp.Page", "1", "", "views", 1, 1)
    if kind == "models":
        return [good._replace(parent=f"gone.Model{n}") for n in range(MANY)]
    if kind == "fields":
        return [good._replace(field=f"gone{n}") for n in range(MANY)]
    if kind == "amounts":
        return [good._replace(object_id=str(10**12 + n), amount=1 << 40) for n in range(MANY)]
    return [good._replace(object_id=str(10**12 + n)) for n in range(MANY)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["models", "fields", "objects", "amounts"])
def test_ten_thousand_unknown_things_in_a_batch_take_few_statements(
    kind: str, django_assert_max_num_queries: Any
) -> None:
    page = a_page()
    data_cls = PageParentTotals if kind == "objects" else PageTotals
    sent = batch(data_cls, entry(page, amount=5), *odd_entries(kind))
    started = time.process_time()
    # SQLite's statements have fewer than 1,000 parameters.
    with django_assert_max_num_queries(130):
        report = fold(data_cls._meta.label, [sent])
    assert time.process_time() - started < SOON
    assert (report.quarantined, report.increments) == (MANY, 1)
    assert counts(data_cls) == {page.pk: 5}


def test_bad_amounts_in_many_batches_cost_no_more_than_themselves(
    django_assert_max_num_queries: Any,
) -> None:
    pages = [a_page(f"{n}") for n in range(5)]
    bad = entry(pages[0], amount=1 << 40)
    group = [batch(PageTotals, *map(entry, pages)) for _ in range(200)]
    group += [batch(PageTotals, bad, *map(entry, pages[1:])) for _ in range(3)]
    with django_assert_max_num_queries(40):
        report = fold(TOTALS, group)
    assert (report.quarantined, report.increments) == (3, 200 * 5 + 3 * 4)
    assert counts(PageTotals) == {page.pk: 200 + 3 * (page != pages[0]) for page in pages}


# from another version, another time, or twice


def test_a_version_from_the_future_is_set_aside_whole(settings: Any) -> None:
    page = a_page()
    body = batches.encode(batch(PageTotals, entry(page))).replace(b'"v":1', b'"v":2')
    with pytest.raises(BadMessage, match="version 2 is not known here: upgrade the folder"):
        batches.decode(body)
    message = batches.Malformed.of(TOTALS, body, "version 2")
    report = fold(TOTALS, [message, batch(PageTotals, entry(page)), message])
    assert (report.quarantined, report.increments) == (1, 1)
    assert QuarantinedMessage.objects.get().payload == body.decode()


@pytest.mark.parametrize("together", [True, False])
def test_of_two_batches_of_one_id_the_first_counts(together: bool) -> None:
    page = a_page()
    first = batch(PageTotals, entry(page, amount=3))
    second = replace(batch(PageTotals, entry(page, amount=100)), id=first.id)
    report = FoldReport()
    for group in [[first, second]] if together else [[first], [second]]:
        report += fold(TOTALS, group)
    assert (counts(PageTotals), report.duplicate_batches) == ({page.pk: 3}, 1)
    assert LedgerEntry.objects.get().increments == 1


@pytest.mark.parametrize("days", [2, 365, 365 * 1000, None], ids=str)
def test_a_batch_from_the_future_counts_and_is_remembered(days: int | None) -> None:
    page = a_page()
    sent = batch(PageTotals, entry(page))
    if days is None:
        sent = replace(sent, id="f" * TIME_LENGTH + sent.id[TIME_LENGTH:])
    else:
        moment = (timezone.now() + timedelta(days=days)).timestamp()
        sent = replace(sent, id=batches.id_time(moment) + sent.id[TIME_LENGTH:])
    assert fold(TOTALS, [sent]).increments == 1
    # So long after that the ledger forgets what was sent by a right clock.
    LedgerEntry.objects.update(folded_at=timezone.now() - timedelta(days=30))
    ledger.prune("default")
    assert fold(TOTALS, [sent]).duplicate_batches == 1
    assert counts(PageTotals) == {page.pk: 1}


@pytest.mark.parametrize("time_text", ["0" * TIME_LENGTH, batches.id_time(1.0)])
def test_a_batch_from_the_far_past_is_set_aside(time_text: str) -> None:
    sent = batch(PageTotals, entry(page := a_page()))
    old = replace(sent, id=time_text + sent.id[TIME_LENGTH:])
    report = fold(TOTALS, [old, batch(PageTotals, entry(page))])
    assert (report.quarantined, report.increments) == (1, 1)
    assert "older than the ledger" in reasons()[0]


# of what is gone


def test_a_class_that_is_registered_no_longer_is_folded(broker_url: str | None) -> None:
    page = a_page()
    emit(page, data_cls=PageTotals, times=3)
    trackable.site.unregister(Page, PageTotals)
    try:
        assert process_messages() == 3
    finally:
        trackable.site.register(Page, PageTotals)
    assert (counts(PageTotals), reasons()) == ({page.pk: 3}, [])


class Without:
    """The registry of apps after one of its models was removed or renamed."""

    def __init__(self, label: str) -> None:
        self.label = label.lower()
        self.real = apps.get_model

    def get_model(self, label: str, *args: Any, **kwargs: Any) -> Any:
        if str(label).lower() == self.label:
            raise LookupError(f"no {label}")
        return self.real(label, *args, **kwargs)


def test_a_class_that_is_removed_is_set_aside_and_others_go_on(
    broker_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    emit(page, data_cls=PageTotals, times=2)
    emit_segment(page)
    monkeypatch.setattr(apps, "get_model", Without(TOTALS).get_model)
    fold_until_settled()
    assert (total(PageData), reasons()) == (1, [f"there is no data class {TOTALS!r}"])
    assert QuarantinedMessage.objects.get().increments == 2


@through_brokers
def test_what_waits_in_the_queue_of_a_class_that_is_removed_is_sent_again(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    emit_segment(page, data_cls=PageTotals)
    shipping.ship_until(conf.journal_dir(), time.monotonic() + SOON)
    [segment] = segments.listing(conf.journal_dir())
    assert segment.state == SHIPPED
    # As if shipping had taken no time: what took long is sent again later.
    os.utime(segment.path, (segment.created_at, segment.created_at))
    monkeypatch.setattr(apps, "get_model", Without(TOTALS).get_model)
    monkeypatch.setattr(collecting, "_all_labels", lambda: ["testapp.PageData", broker.UNKNOWN])
    assert process_messages() == 0
    fold_until_settled()
    assert reasons() == [f"there is no data class {TOTALS!r}"]
    monkeypatch.undo()


def test_a_model_that_is_renamed_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    page = a_page()
    emit(page, data_cls=PageTotals)
    monkeypatch.setattr(apps, "get_model", Without("testapp.Page").get_model)
    assert process_messages() == 0
    assert reasons() == ["there is no model 'testapp.Page'"]


def test_a_label_of_a_model_that_counts_nothing_goes_to_the_unknown() -> None:
    assert broker.queue_name("auth.User") == broker.queue_name("gone.Gone")
    assert ledger.alias_of("auth.User") == ledger.alias_of("gone.Gone")


# very many at once


@pytest.mark.slow
@through_brokers
def test_shipping_stops_at_its_deadline_and_goes_on_later(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = lines.encode(TOTALS, "testapp.Page", "1", "", "views", 1)
    for _ in range(1000):
        write_segment(line)
    directory, now = conf.journal_dir(), [time.monotonic()]
    publish, numbers = Broker.publish, iter(range(1, 10_000))

    def publish_slowly(*args: Any) -> None:
        publish(*args)
        now[0] += 2 * (next(numbers) == 100)

    monkeypatch.setattr(shipping, "time", mock.Mock(wraps=time, monotonic=lambda: now[0]))
    monkeypatch.setattr(Broker, "publish", publish_slowly)
    shipping.ship_until(directory, now[0] + 1)
    assert len(segments.listing(directory, SEALED)) == 900
    shipping.ship_until(directory, now[0] + 1)
    assert segments.listing(directory, SEALED) == []
    with Broker() as source:
        assert source.depth(TOTALS) == 1000
    assert (process_messages(), total(PageTotals)) == (1000, 1000)
