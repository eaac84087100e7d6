"""The others: what a hit costs a site that does not use trackable, as its makers would write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.models import F
from django.utils import timezone
from kombu import Connection, Queue

from benchmarks.lab import Lab
from benchmarks.site.celery import app_at
from benchmarks.site.models import DailyHits, Hits
from benchmarks.site.routers import Router, using

PAGES = 100

Hit = Callable[[int], object]


def fill(alias: str) -> None:
    """Give every page its row, at zero."""
    with using(alias):
        Hits.objects.all().delete()
        Hits.objects.bulk_create([Hits(page_id=pk) for pk in range(1, PAGES + 1)])


def counted() -> int:
    """Return the sum of the rows."""
    return sum(Hits.objects.values_list("views", flat=True))


def update(page_id: int) -> None:
    """In the request, one row for each page."""
    Hits.objects.filter(pk=page_id).update(views=F("views") + 1)


def update_at(alias: str) -> Hit:
    def update_there(page_id: int) -> None:
        Hits.objects.using(alias).filter(pk=page_id).update(views=F("views") + 1)

    return update_there


def update_today(page_id: int) -> None:
    """In the request, one row for each page and day."""
    row, _ = DailyHits.objects.get_or_create(page_id=page_id, day=timezone.localdate())
    DailyHits.objects.filter(pk=row.pk).update(views=F("views") + 1)


@contextmanager
def celery(lab: Lab, broker: str) -> Iterator[Hit]:
    """A Celery task for each hit."""
    app = app_at(lab.url(broker))
    try:
        yield app.tasks["hit"].delay
    finally:
        app.control.purge()
        app.close()


class Kombu:
    """A kombu message for each hit, and the fold of the old django-trackable, one at a time."""

    def __init__(self, connection: Connection) -> None:
        queue = Queue("hits", routing_key="hits", durable=True)
        self._queue = queue.bind(connection.default_channel)
        self._queue.queue_declare()
        self._producer = connection.Producer()

    def hit(self, page_id: int) -> None:
        self._producer.publish({"page": page_id, "field": "views"}, routing_key="hits")

    def fold(self) -> None:
        """SELECT, UPDATE, SELECT, acknowledge, until the queue is empty."""
        while (message := self._queue.get()) is not None:
            row = Hits.objects.get(pk=message.payload["page"])
            Hits.objects.filter(pk=row.pk).update(views=F("views") + 1)
            row.refresh_from_db()
            message.ack()

    def purge(self) -> None:
        self._queue.purge()


@contextmanager
def kombu(lab: Lab, broker: str) -> Iterator[Kombu]:
    with Connection(lab.url(broker)) as connection:
        made = Kombu(connection)
        yield made
        made.purge()


class Redis:
    """``HINCRBY`` for each hit, and a flush to the database. What Redis loses, is lost."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def hit(self, page_id: int) -> None:
        self._client.hincrby("counts", page_id)

    def flush(self) -> None:
        if not self._client.exists("counts"):
            return
        self._client.rename("counts", "counts.flushing")
        counts = self._client.hgetall("counts.flushing")
        with transaction.atomic(Router.alias), connections[Router.alias].cursor() as cursor:
            cursor.execute(
                "INSERT INTO site_hits (page_id, views)"
                " SELECT * FROM UNNEST(%s::bigint[], %s::integer[])"
                " ON CONFLICT (page_id) DO UPDATE SET views = site_hits.views + EXCLUDED.views",
                [list(map(int, counts)), list(map(int, counts.values()))],
            )
        self._client.delete("counts.flushing")


@contextmanager
def redis(lab: Lab) -> Iterator[Redis]:
    import redis

    with redis.Redis.from_url(lab.url("redis")) as client:
        yield Redis(client)
        client.delete("counts")
