"""Folders in parallel on one queue, which all count for the same rows."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks import journals
from benchmarks.batches import batch
from benchmarks.children import Child, children, together
from benchmarks.lab import Lab
from benchmarks.measures.fold import empty_tables
from benchmarks.measuring import Contenders, measure
from trackable.broker import Broker
from trackable.folding.collect import collect

NUMBERS = (1, 2, 4)
ENTRIES = 500
HITS = 10
NAMES = {"redis": "Redis", "rabbitmq": "RabbitMQ"}


def folding() -> Generator[int, None, None]:
    """A role: fold what waits in the queue, as often as it is told."""
    while True:
        yield collect(wait=False).increments


def speed(team: list[Child], number: int, messages: int) -> float:
    """Return the increments a second of so many folders of a team."""
    with Broker() as broker:
        for _ in range(messages):
            broker.publish(batch(range(1, ENTRIES + 1), HITS))
    started = time.perf_counter()
    folded = sum(together(team[:number]))
    seconds = time.perf_counter() - started
    if folded != messages * ENTRIES * HITS:
        raise RuntimeError(f"{folded} increments of {messages * ENTRIES * HITS} were folded")
    return folded / seconds


@measure(
    "folders",
    title="folders in parallel on one queue",
    unit="increments a second",
    better="more",
    axis="folders",
    needs=("postgresql", *NAMES),
    budget_seconds=30,
    note=f"Messages of {ENTRIES} counters with {HITS} hits each, all of the same {ENTRIES} rows:"
    " the folders wait for each other's rows.",
)
def on_one_queue(lab: Lab) -> Iterator[Contenders]:
    messages = lab.pick(200, 60)
    empty_tables()
    with ExitStack() as stack:
        contenders: Contenders = {}
        for broker, name in NAMES.items():
            settings = {"TRACKABLE_BROKER_URL": lab.url(broker)}
            folder = str(lab.new_folder())
            environment = lab.environment(TRACKABLE_JOURNAL_DIR=folder, **settings)
            roles = [()] * max(NUMBERS)
            team = stack.enter_context(children(folding, roles, environment))

            def contender(
                number: int, team: list[Child] = team, settings: dict[str, str] = settings
            ) -> float:
                with journals.own(lab, **settings):
                    return speed(team, number, messages)

            for number in NUMBERS:
                contenders[f"{name}, {number}"] = partial(contender, number)
        yield contenders
