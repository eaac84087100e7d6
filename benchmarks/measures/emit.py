"""What a hit costs the request: one call, warm, one thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks import floor, journals
from benchmarks.lab import Lab
from benchmarks.measures import others
from benchmarks.measuring import Contender, Contenders, Target, measure
from benchmarks.site.models import Page
from trackable.messaging import send_increment_message

#: more than the caches of a core hold
OTHER_BYTES = bytearray(8 << 20)
COLD_CALLS = 200
PAGES = [Page(pk=pk) for pk in range(1, others.PAGES + 1)]


def emit(page_id: int) -> None:
    send_increment_message(None, PAGES[page_id - 1], "views")


def microseconds(
    hit: others.Hit, calls: int, clear: Callable[[], object] | None = None
) -> Contender:
    """Return what measures a call, over all pages in turn."""
    page_ids = [1 + number % others.PAGES for number in range(calls)]

    def contender() -> float:
        started = time.perf_counter()
        for page_id in page_ids:
            hit(page_id)
        seconds = time.perf_counter() - started
        if clear:
            clear()
        return seconds / calls * 1e6

    return contender


@measure(
    "emit",
    title="what a hit costs the request",
    unit="µs a call",
    needs=("postgresql", "sqlite", "redis", "rabbitmq"),
    targets=(
        Target("emit", "append a line by hand", at_most=4),
        Target("F() update, PostgreSQL", "emit", at_least=20),
        Target("Celery .delay(), Redis", "emit", at_least=20),
        Target("Celery .delay(), RabbitMQ", "emit", at_least=20),
    ),
    note="One call, warm, in one thread, over a hundred pages in turn. Only the first two and the"
    " `F()` updates are durable when they return: the tasks and messages wait in a broker that has"
    " not confirmed them, and Redis keeps its counts in memory.",
)
def emit_beside_others(lab: Lab) -> Iterator[Contenders]:
    few, some, many = lab.pick((200, 1000, 20_000), (50, 200, 5_000))
    with ExitStack() as stack:
        enter = stack.enter_context
        folder = enter(journals.own(lab))
        others.fill("postgresql")
        others.fill("sqlite")
        tasks = {name: enter(others.celery(lab, name)) for name in ("redis", "rabbitmq")}
        messages = {name: enter(others.kombu(lab, name)) for name in ("redis", "rabbitmq")}
        counts = enter(others.redis(lab))
        yield {
            "emit": microseconds(emit, many),
            "append a line by hand": microseconds(floor.appender(folder / "floor"), many),
            "F() update, PostgreSQL": microseconds(others.update, few),
            "F() update, SQLite": microseconds(others.update_at("sqlite"), few),
            "get_or_create and F() update, PostgreSQL": microseconds(others.update_today, few),
            "Celery .delay(), Redis": microseconds(tasks["redis"], some),
            "Celery .delay(), RabbitMQ": microseconds(tasks["rabbitmq"], some),
            "kombu message, Redis": microseconds(
                messages["redis"].hit, some, messages["redis"].purge
            ),
            "kombu message, RabbitMQ": microseconds(
                messages["rabbitmq"].hit, some, messages["rabbitmq"].purge
            ),
            "HINCRBY, Redis": microseconds(counts.hit, some),
        }


@measure(
    "emit-cold",
    title="what a hit costs when the caches are another's",
    unit="µs a call",
    budget_seconds=5,
    note="Before each call all of 8 MiB is read, as a request of a site that does more than count"
    " leaves the caches of the core to something else. Each row has all below it in it: an emit the"
    " append, that the write, and that the call.",
)
def emit_when_cold(lab: Lab) -> Iterator[Contenders]:
    with journals.own(lab, TRACKABLE_FLUSH_THREAD=False) as folder:
        emit(1)
        yield {
            "emit": cold(emit),
            "append a line by hand": cold(floor.appender(folder / "floor")),
            "write a line": cold(writer_of(folder / "line", floor.line(1))),
            "an empty call": cold(lambda _: None),
        }


def writer_of(path: Path, line: bytes) -> others.Hit:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return lambda _: os.write(fd, line)


def cold(hit: others.Hit) -> Contender:
    """Return what measures a call that finds nothing of its own in the caches."""

    def contender() -> float:
        seconds = []
        for page_id in range(1, 1 + COLD_CALLS):
            sum(OTHER_BYTES[::64])
            started = time.perf_counter()
            hit(1 + page_id % others.PAGES)
            seconds.append(time.perf_counter() - started)
        return median(seconds) * 1e6

    return contender
