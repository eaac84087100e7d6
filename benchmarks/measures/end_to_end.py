"""The whole way: emitted, shipped, through a broker, folded and committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from django.db.models import Sum

from benchmarks import journals
from benchmarks.lab import Lab
from benchmarks.measures import others
from benchmarks.measures.emit import emit
from benchmarks.measures.fold import empty_tables
from benchmarks.measuring import Contender, Contenders, Target, measure
from benchmarks.programs import running
from benchmarks.site.models import PageData
from trackable.messaging import process_messages

NAMES = {"redis": "Redis", "rabbitmq": "RabbitMQ"}
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.002


def speed(
    hit: others.Hit, number: int, finish: Callable[[], object], counted: Callable[[], int]
) -> Contender:
    """Return what measures the hits a second until all of them are committed."""

    def contender() -> float:
        awaited = counted() + number
        started = time.perf_counter()
        for each in range(number):
            hit(1 + each % others.PAGES)
        finish()
        while counted() < awaited:
            if time.perf_counter() - started > PATIENCE_SECONDS:
                raise RuntimeError(f"{counted()} of {awaited} hits are counted")
            time.sleep(POLL_SECONDS)
        return number / (time.perf_counter() - started)

    return contender


def nothing() -> None:
    """Somebody else does it."""


def in_rows() -> int:
    return PageData.objects.aggregate(total=Sum("views"))["total"] or 0


for broker, title in NAMES.items():

    @measure(
        f"end-to-end-{broker}",
        title=f"from the first emit to the last commit, {title} and PostgreSQL",
        unit="hits a second",
        better="more",
        needs=("postgresql", broker),
        budget_seconds=22,
        targets=(
            Target("trackable", "a Celery task a hit", at_least=50),
            Target("trackable", "one message a hit, folded one at a time", at_least=200),
        ),
        note="Over a hundred pages. Celery's worker has two processes and works while the hits are"
        " sent; all others first send and then fold.",
    )
    def whole_way(lab: Lab, broker: str = broker) -> Iterator[Contenders]:
        many, few = lab.pick((100_000, 400), (20_000, 150))
        with ExitStack() as stack:
            enter = stack.enter_context
            empty_tables()
            others.fill("postgresql")
            enter(journals.own(lab, TRACKABLE_BROKER_URL=lab.url(broker)))
            environment = {**lab.environment(), "CELERY_BROKER_URL": lab.url(broker)}
            enter(
                running(
                    *("celery", "-A", "benchmarks.site.celery", "worker"),
                    *("--concurrency=2", "--loglevel=WARNING"),
                    environment=environment,
                    log=lab.new_folder() / "log",
                )
            )
            task, messages = enter(others.celery(lab, broker)), enter(others.kombu(lab, broker))
            contenders = {
                "trackable": speed(emit, many, process_messages, in_rows),
                "a Celery task a hit": speed(task, few, nothing, others.counted),
                "one message a hit, folded one at a time": speed(
                    messages.hit, few, messages.fold, others.counted
                ),
            }
            if broker == "redis":
                counts = enter(others.redis(lab))
                contenders["HINCRBY and a flush"] = speed(
                    counts.hit, few * 10, counts.flush, others.counted
                )
            yield contenders
