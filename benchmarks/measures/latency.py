"""How long after its emit an increment is committed."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from benchmarks.children import Child, children
from benchmarks.lab import Lab
from benchmarks.measures import others
from benchmarks.measures.emit import emit
from benchmarks.measures.end_to_end import in_rows
from benchmarks.measures.fold import empty_tables
from benchmarks.measuring import Contenders, Target, measure
from benchmarks.programs import running

RATE = 1000
POLL_SECONDS = 0.005
PATIENCE_SECONDS = 20
WAYS = {"without a broker": None, "Redis": "redis", "RabbitMQ": "rabbitmq"}


def emitting() -> Generator[list[float] | None, float, None]:
    """A role: emit so many a second for as long as it is told; it gives their times."""
    seconds = yield None
    times: list[float] = []
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        while len(times) < elapsed * RATE:
            emit(1 + len(times) % others.PAGES)
            times.append(time.time())
        time.sleep(1 / RATE)
    yield times


def commits(number: Callable[[], int]) -> list[tuple[float, int]]:
    """Return when how many increments were seen to be committed, till all are."""
    seen: list[tuple[float, int]] = []
    end = time.monotonic() + PATIENCE_SECONDS
    while not seen or seen[-1][1] < number():
        total = in_rows()
        if total > (seen[-1][1] if seen else 0):
            seen.append((time.time(), total))
            end = time.monotonic() + PATIENCE_SECONDS
        if time.monotonic() > end:
            raise RuntimeError(f"{total} of {number()} increments are committed")
        time.sleep(POLL_SECONDS)
    return seen


def delays(emitted: Sequence[float], seen: Sequence[tuple[float, int]]) -> list[float]:
    """Return the seconds from each emit to its commit, sorted; they are folded in order."""
    totals = [total for _, total in seen]
    found = (seen[bisect_right(totals, n)][0] - at for n, at in enumerate(emitted))
    return sorted(found)


def follow(emitter: Child, seconds: float) -> dict[str, float]:
    """Emit for so long, and return how long it took until that was committed."""
    empty_tables()
    emitter.go(seconds)
    seen: list[tuple[float, int]] = []
    seen = commits(lambda: int(seconds * RATE * 0.99))
    emitted = emitter.wait()
    if seen[-1][1] < len(emitted):
        seen += commits(lambda: len(emitted))
    found = delays(emitted, seen)
    return {"median": found[len(found) // 2], "99th percentile": found[int(len(found) * 0.99)]}


@measure(
    "latency",
    title=f"from an emit to its commit, at {RATE:,} a second, with --watch 1",
    unit="s",
    has_ratios=False,
    needs=("postgresql", "redis", "rabbitmq"),
    warms_up=False,
    budget_seconds=0,
    targets=tuple(Target(f"{way}, 99th percentile", at_most=2.5) for way in WAYS),
    note="One process emits, another folds; both have their default settings.",
)
def from_emit_to_commit(lab: Lab) -> Iterator[Contenders]:
    seconds = lab.pick(10.0, 3.0)

    def contender(broker: str | None) -> dict[str, float]:
        folder: Path = lab.new_folder()
        environment = lab.environment(
            TRACKABLE_JOURNAL_DIR=str(folder / "journal"),
            TRACKABLE_BROKER_URL=lab.url(broker) if broker else None,
        )
        command = ("django", "fold_trackable_messages", "--watch", "1")
        with (
            running(*command, environment=environment, log=folder / "log"),
            children(emitting, [()], environment) as (emitter,),
        ):
            return follow(emitter, seconds)

    yield {way: lambda broker=broker: contender(broker) for way, broker in WAYS.items()}  # type: ignore[misc]
