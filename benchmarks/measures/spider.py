"""What a verdict on a user agent costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from statistics import median

from benchmarks.lab import Lab
from benchmarks.measuring import Contenders, Target, measure
from trackable import spiders

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:{}) Gecko/20100101 Firefox/{}.0"


class Request:
    """What the filter looks at."""

    def __init__(self, agent: str) -> None:
        self.META = {"HTTP_USER_AGENT": agent}


def nothing(request: Request) -> None:
    """A call, to be taken off."""


def seconds(action: Callable[[Request], object], requests: list[Request]) -> float:
    started = time.perf_counter()
    for request in requests:
        action(request)
    return time.perf_counter() - started


def above_a_call(numbers: Iterable[int]) -> float:
    """Return the microseconds of a verdict on agents with these numbers, without the call.

    Each request has a string of its own, as a server makes one: its hash is not known yet.
    """
    requests = [Request(AGENT.format(number, number)) for number in numbers]
    taken = -seconds(nothing, requests) + seconds(spiders.verdict_of_request, requests)
    return taken / len(requests) * 1e6


@measure(
    "spider",
    title="a verdict of the spider filter, above an empty call",
    unit="µs",
    has_ratios=False,
    needs=("postgresql",),
    turns=4,
    budget_seconds=5,
    targets=(Target("agent seen before", at_most=0.3), Target("new agent", at_most=1000)),
    note="A new agent is compared with all patterns, one seen before is looked up.",
)
def verdicts(lab: Lab) -> Iterator[Contenders]:
    numbers = count(1)
    few, many = [0] * 1000, lab.pick(100, 20)
    yield {
        "agent seen before": lambda: median(above_a_call(few) for _ in range(many)),
        "new agent": lambda: above_a_call(islice(numbers, 200)),
    }
