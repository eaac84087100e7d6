"""What a broker has to keep for an increment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from kombu import Connection

from benchmarks import journals
from benchmarks.lab import Lab
from benchmarks.measures import others
from benchmarks.measures.emit import emit
from benchmarks.measuring import Contender, Contenders, Target, measure
from benchmarks.site.models import PageData
from trackable import shipping
from trackable.broker import queue_name
from trackable.messaging import process_messages

HITS = 1000


def in_redis(lab: Lab, queue: str) -> int:
    """Return the bytes of a queue's messages."""
    import redis

    with redis.Redis.from_url(lab.url("redis")) as client:
        return sum(map(len, client.lrange(queue, 0, -1)))  # type: ignore[arg-type]


def in_rabbitmq(lab: Lab, queue: str) -> int:
    """Return the bytes of a queue's messages, with their properties; they stay in it."""
    found = 0
    with Connection(lab.url("rabbitmq")) as connection:
        channel: Any = connection.default_channel
        while (message := channel.basic_get(queue)) is not None:
            found += len(message.body) + len(message._serialize_properties())
    return found


SIZES = {"Redis": in_redis, "RabbitMQ": in_rabbitmq}


@measure(
    "wire",
    title="broker bytes per increment, 1,000 hits over 100 counters",
    unit="bytes an increment",
    needs=("postgresql", "redis", "rabbitmq"),
    warms_up=False,
    budget_seconds=0,
    targets=(Target("trackable, Redis", at_most=5), Target("trackable, RabbitMQ", at_most=5)),
    note="What the broker keeps of each message: its body, and its headers and properties.",
)
def bytes_per_increment(lab: Lab) -> Iterator[Contenders]:
    def sent(hit: others.Hit, queue: str, size: Callable[[Lab, str], int]) -> float:
        for each in range(HITS):
            hit(1 + each % others.PAGES)
        return size(lab, queue) / HITS

    def of_trackable(broker: str, size: Callable[[Lab, str], int]) -> Contender:
        def contender() -> float:
            with journals.own(lab, TRACKABLE_BROKER_URL=lab.url(broker)) as folder:
                for each in range(HITS):
                    emit(1 + each % others.PAGES)
                shipping.flush(folder, wait_seconds=1)
                shipping.ship_until(folder, float("inf"))
                found = size(lab, queue_name(PageData._meta.label)) / HITS
                process_messages()
                return found

        return contender

    with ExitStack() as stack:
        contenders: Contenders = {}
        for name, size in SIZES.items():
            contenders[f"trackable, {name}"] = of_trackable(name.lower(), size)
        for name, size in SIZES.items():
            task = stack.enter_context(others.celery(lab, name.lower()))
            messages = stack.enter_context(others.kombu(lab, name.lower()))
            ways = {"Celery task": (task, "celery"), "kombu message": (messages.hit, "hits")}
            for what, (hit, queue) in ways.items():
                contenders[f"{what}, {name}"] = partial(sent, hit, queue, size)
        yield contenders
