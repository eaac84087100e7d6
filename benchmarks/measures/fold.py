"""Folds from journals: how fast, over how many counters, and in how much memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connections

from benchmarks import floor, journals
from benchmarks.children import children
from benchmarks.journals import Prepared
from benchmarks.lab import Lab
from benchmarks.measuring import Contenders, Target, measure
from benchmarks.site.models import Page
from benchmarks.site.routers import Router
from trackable.folding.collect import collect

STATUS = Path("/proc/self/status")
MEMORY_MIB = 300


def folding() -> Generator[dict[str, float] | None, None, None]:
    """A role: fold what waits in the journal."""
    connections[Router.alias].ensure_connection()
    ContentType.objects.get_for_model(Page)
    yield None
    start_mib = _reset_peak()
    started = time.perf_counter()
    report = collect(wait=False)
    seconds = time.perf_counter() - started
    yield {"folded": report.increments, "seconds": seconds, "mib": peak_mib() - start_mib}


def counting(*paths: str) -> Generator[dict[str, float] | None, None, None]:
    """A role: count the lines of files, and add them up in PostgreSQL."""
    connections[Router.alias].ensure_connection()
    connection: Any = connections[Router.alias].connection
    connection.autocommit = False
    content_type = ContentType.objects.get_for_model(Page).pk
    yield None
    start_mib = _reset_peak()
    started = time.perf_counter()
    counted = floor.count(map(Path, paths))
    floor.upsert(connection, content_type, counted)
    seconds = time.perf_counter() - started
    yield {"folded": counted.total(), "seconds": seconds, "mib": peak_mib() - start_mib}


def peak_mib() -> float:
    """Return the most memory that this process has had since the last reset."""
    (kib,) = (x.split()[1] for x in STATUS.read_text().splitlines() if x.startswith("VmHWM"))
    return int(kib) / 1024


def _reset_peak() -> float:
    """Let the peak be the memory that is in use now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mib()


def empty_tables(alias: str = "postgresql") -> None:
    """Remove every row and ledger entry, and have that written before the clock runs."""
    with connections[alias].cursor() as cursor:
        cursor.execute("TRUNCATE site_pagedata, trackable_ledgerentry")
        cursor.execute("CHECKPOINT")


def fold(lab: Lab, content: Prepared, schema: str = "public") -> dict[str, float]:
    """Have a new process fold a prepared journal."""
    with content.journal() as journal:
        environment = lab.environment(schema, TRACKABLE_JOURNAL_DIR=str(journal))
        with children(folding, [()], environment) as (child,):
            return _checked(child.work(), content)


def count(lab: Lab, content: Prepared, schema: str = "public") -> dict[str, float]:
    """Have a new process do the same by hand."""
    paths = [str(path) for path in content.of_the_floor]
    with children(counting, [paths], lab.environment(schema)) as (child,):
        return _checked(child.work(), content)


def _checked(found: dict[str, float], content: Prepared) -> dict[str, float]:
    if found["folded"] != content.increments:
        raise RuntimeError(f"{found['folded']} of {content.increments} increments were folded")
    return found


Fold = Callable[..., dict[str, float]]


def speed(how: Fold, lab: Lab, content: Prepared) -> Callable[[], float]:
    """Return what measures the increments a second of a fold into empty tables."""

    def contender() -> float:
        empty_tables()
        found = how(lab, content)
        return found["folded"] / found["seconds"]

    return contender


def enter(counters: int, quick: tuple[int, int], budget_seconds: float) -> None:
    @measure(
        f"fold-{counters}",
        title=f"a fold of 1,000,000 increments over {counters:,} counters, PostgreSQL",
        unit="increments a second",
        better="more",
        needs=("postgresql",),
        budget_seconds=budget_seconds,
        warms_up=False,  # every fold has a process and an empty table of its own
        targets=(Target("fold from the journal", "count by hand", at_least=0.5),),
        note="From the journal into an empty table, in a process of its own.",
    )
    def folds(lab: Lab) -> Iterator[Contenders]:
        size = lab.pick((1_000_000, counters), quick)
        with journals.prepared(lab, *size) as content:
            yield {
                "fold from the journal": speed(fold, lab, content),
                "count by hand": speed(count, lab, content),
            }


enter(1_000, (200_000, 1_000), budget_seconds=25)
enter(100_000, (50_000, 5_000), budget_seconds=50)
enter(1_000_000, (20_000, 20_000), budget_seconds=70)


def enter_memory(name: str, increments: int, counters: int, *, is_growth: bool) -> None:
    @measure(
        name,
        title=f"memory of a fold of {increments:,} increments over {counters:,} counters",
        unit="MiB above the start",
        needs=("postgresql",),
        budget_seconds=0,
        warms_up=False,
        has_ratios=False,
        is_growth=is_growth,
        targets=(Target("fold from the journal", at_most=MEMORY_MIB),),
        note="The peak of the resident memory of the process that folds.",
    )
    def memory(lab: Lab) -> Iterator[Contenders]:
        share = lab.pick(1, 20)

        def contender() -> float:
            empty_tables()
            return fold(lab, content)["mib"]

        with journals.prepared(lab, increments // share, counters // share) as content:
            yield {"fold from the journal": contender}


enter_memory("memory", 1_000_000, 1_000_000, is_growth=False)
enter_memory("memory-of-ten-million", 10_000_000, 1_000_000, is_growth=True)
