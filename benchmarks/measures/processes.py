"""One hot object, and ever more processes that emit."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import floor
from benchmarks.children import Child, children, together
from benchmarks.lab import Lab
from benchmarks.measures import others
from benchmarks.measures.emit import emit
from benchmarks.measuring import Contenders, Target, measure

NUMBERS = (1, 2, 4, 8)
MOST = max(NUMBERS)
#: of what as many cores would do
SHARE = 0.8
CORES = min(os.cpu_count() or 1, MOST)
WARM_UP_CALLS = 100


def hitting(how: str, folder: str) -> Generator[None, int, None]:
    """A role: hit one page, as often as it is told."""
    hit = {
        "emit": emit,
        "by hand": floor.appender(Path(folder) / f"floor-{os.getpid()}"),
        "postgresql": others.update,
        "sqlite": others.update_at("sqlite"),
    }[how]
    calls = WARM_UP_CALLS
    while True:
        for _ in range(calls):
            hit(1)
        calls = yield


def speed(team: list[Child], number: int, calls: int) -> float:
    """Return the hits a second of so many processes of a team."""
    started = time.perf_counter()
    together(team[:number], calls)
    return calls * number / (time.perf_counter() - started)


@measure(
    "processes",
    title="one hot object, one to eight emitting processes",
    unit="hits a second",
    better="more",
    axis="processes",
    needs=("postgresql", "sqlite"),
    budget_seconds=40,
    targets=(
        Target("emit, 8", "emit, 1", at_least=SHARE * CORES),
        Target("emit, 8", "F() update, PostgreSQL, 8", at_least=20),
    ),
    note="All processes count for the same object: the same row, for an `F()` update. Emitting"
    f" processes share no lock, so that eight of them should do {SHARE} times what as many cores"
    f" as there are ({CORES} here) would.",
)
def one_hot_object(lab: Lab) -> Iterator[Contenders]:
    many, few = lab.pick((40_000, 60), (8_000, 20))
    teams = {
        "emit": ("emit", many),
        "append a line by hand": ("by hand", many),
        "F() update, PostgreSQL": ("postgresql", few),
        "F() update, SQLite": ("sqlite", few),
    }
    others.fill("postgresql")
    others.fill("sqlite")
    with ExitStack() as stack:
        contenders: Contenders = {}
        for name, (how, calls) in teams.items():
            folder = str(lab.new_folder())
            environment = lab.environment(TRACKABLE_JOURNAL_DIR=folder)
            team = stack.enter_context(children(hitting, [(how, folder)] * MOST, environment))
            numbers = NUMBERS if how in ("emit", "by hand") else (1, MOST)
            for number in numbers:
                contenders[f"{name}, {number}"] = partial(speed, team, number, calls)
        yield contenders
