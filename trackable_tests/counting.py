"""What tests of the whole way share: emit, fold, and compare the rows with what was emitted."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest
from django.db.models import Model, Sum
from django.test import override_settings

from trackable import batches, broker, conf
from trackable.batches import Batch, Entry
from trackable.journal import segments, writer
from trackable.messaging import process_messages, send_increment_message
from trackable.models import QuarantinedMessage, TrackableData
from trackable_tests.testapp.models import Page

CHILD_TIMEOUT_SECONDS = 60
FOLDS_TO_SETTLE = 5

DataClass = type[TrackableData]

#: for tests with ``broker_url`` that make no sense without a broker
through_brokers = pytest.mark.parametrize(
    "broker_url", ["redis_url", "rabbitmq_url"], indirect=True, ids=["redis", "rabbitmq"]
)


class Crash(BaseException):
    """Stops whatever runs, and is no error that anybody handles."""


def a_page(slug: str = "a") -> Page:
    return Page.objects.create(title=slug, slug=slug)


def emit(
    obj: Model,
    field: str = "views",
    value: Any = 1,
    *,
    data_cls: DataClass | None = None,
    when: datetime | None = None,
    times: int = 1,
) -> None:
    """Emit; every emit must be acknowledged."""
    options = {"value": value, "when": when}
    for _ in range(times):
        assert send_increment_message(None, obj, field, data_cls, options)


def emit_segment(obj: Model, *args: Any, **kwargs: Any) -> None:
    """Emit into a segment that nothing follows in."""
    emit(obj, *args, **kwargs)
    writer.seal()


def fold_until_settled() -> None:
    """Fold what crashes have left, sending again at once what they took from the queues."""
    directory = conf.journal_dir()
    with override_settings(TRACKABLE_RESEND_AFTER=0):
        for _ in range(FOLDS_TO_SETTLE):
            process_messages()
            waiting = segments.listing(directory, segments.OPEN, segments.SEALED, segments.SHIPPED)
            if not waiting:
                return
    raise AssertionError(f"not settled after {FOLDS_TO_SETTLE} folds: {waiting}")


def counts(data_cls: DataClass, field: str = "views") -> dict[Any, Any]:
    """Return a counter of every row, by object id and, if there is one, by period."""
    parent = "object_id" if data_cls.parent_target() is None else "parent_id"
    key = [parent, "collected_during"] if data_cls.period else [parent]
    rows = data_cls._base_manager.values_list(*key, field)
    found = {row[:-1] if data_cls.period else row[0]: row[-1] for row in rows}
    assert len(found) == len(rows)
    return found


def total(data_cls: DataClass, field: str = "views") -> Any:
    return data_cls._base_manager.aggregate(total=Sum(field))["total"] or 0


def entry(
    obj: Model, field: str = "views", amount: Any = 1, hits: int = 1, period: str = ""
) -> Entry:
    return Entry(obj._meta.label, str(obj.pk), period, field, amount, hits)


def batch(data_cls: DataClass, *entries: Entry, **kwargs: Any) -> Batch:
    label = data_cls._meta.label
    return Batch.of(batches.batch_id(segments.new_id(), label), label, entries, **kwargs)


def reasons() -> list[str]:
    """Return why things are in the quarantine, oldest first."""
    return list(QuarantinedMessage.objects.order_by("pk").values_list("reason", flat=True))


def publish_raw(url: str, data_cls: DataClass, body: Any, **kwargs: Any) -> None:
    """Publish through kombu whatever somebody else could put into a queue of ours."""
    from kombu import Connection, Queue

    queue = Queue(broker.queue_name(data_cls._meta.label), durable=True)
    with Connection(url) as connection:
        producer = connection.Producer()
        queue.bind(producer.channel).queue_declare()
        producer.publish(body, exchange="", routing_key=queue.name, **kwargs)


def start_child(role: str, environment: dict[str, str], *arguments: object) -> Any:
    """Start a process that plays a role of ``trackable_tests.children``."""
    return subprocess.Popen(
        [sys.executable, "-m", "trackable_tests.children", role, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output_of(child: Any, *, timeout_seconds: float = CHILD_TIMEOUT_SECONDS) -> str:
    """Return what a child printed; it must have ended well and have warned of nothing."""
    try:
        out, err = child.communicate(timeout=timeout_seconds)
    finally:
        child.kill()
    assert not err, err
    assert child.returncode == 0
    return str(out)
