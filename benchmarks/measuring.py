"""Measures: what there is to measure, with which targets; and the rounds in which it is done."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from benchmarks.figures import Summary, ratios, summary

if TYPE_CHECKING:
    from benchmarks.lab import Lab

#: Does one round and returns its figure, or several by name.
Contender = Callable[[], float | Mapping[str, float]]
Contenders = dict[str, Contender]


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for a row of a measure's table, or for its ratio to another row."""

    of: str
    against: str | None = None
    at_most: float | None = None
    at_least: float | None = None

    def is_met(self, figure: float) -> bool:
        above = self.at_least is None or figure >= self.at_least
        return above and (self.at_most is None or figure <= self.at_most)


@dataclass(frozen=True, slots=True)
class Measure:
    """What is compared. Its first contender is trackable, and the table's ratios are to that.

    Contenders' names may have details after a comma, by which rows of several are matched.

    ``axis`` is what the last words of its contenders' names count, as in ``emit, 8``: then there
    is a chart of curves. ``turns`` are how often a round alternates. No round is begun after
    ``budget_seconds``; one is always finished.
    """

    name: str
    title: str
    unit: str
    better: Literal["less", "more"]
    open: Callable[[Lab], AbstractContextManager[Contenders]]
    targets: tuple[Target, ...] = ()
    needs: tuple[str, ...] = ()
    budget_seconds: float = 30.0
    turns: int = 1
    warms_up: bool = True
    axis: str = ""
    is_growth: bool = False
    has_ratios: bool = True
    note: str = ""


@dataclass(slots=True)
class Result:
    """The figures of a measure by row, one for each turn; all rows have the same turns."""

    measure: Measure
    figures: dict[str, list[float]] = field(default_factory=dict)
    failure: str = ""

    @property
    def base(self) -> str:
        return next(iter(self.figures))

    def counterpart(self, row: str) -> str:
        """Return the row of trackable's that one is to be compared with: of the same detail.

        That of ``F() update, 8`` is ``emit, 8``. Another row of trackable's has the first one.
        """
        ours, detail = self.base.partition(", ")[0], row.rpartition(", ")[2]
        same = f"{ours}, {detail}"
        return same if same in self.figures and not self.is_ours(row) else self.base

    def is_ours(self, row: str) -> bool:
        return row.partition(", ")[0] == self.base.partition(", ")[0]

    def summary(self, row: str) -> Summary:
        return summary(self.figures[row])

    def ratio(self, of: str, to: str) -> Summary:
        return summary(ratios(self.figures[of], self.figures[to]))

    def figure(self, target: Target) -> Summary | None:
        """Return what a target speaks of; ``None`` if that was not measured."""
        rows = [target.of] if target.against is None else [target.of, target.against]
        if not all(map(self.figures.get, rows)):
            return None
        return self.summary(rows[0]) if len(rows) == 1 else self.ratio(*rows)


MEASURES: Final[dict[str, Measure]] = {}


def measure(
    name: str, *, title: str, unit: str, better: Literal["less", "more"] = "less", **options: object
) -> Callable[[Callable[[Lab], Iterator[Contenders]]], Measure]:
    """Enter a generator as a measure: it gets ready, yields its contenders, and clears up."""

    def enter(function: Callable[[Lab], Iterator[Contenders]]) -> Measure:
        made = Measure(name, title, unit, better, contextmanager(function), **options)  # type: ignore[arg-type]
        MEASURES[name] = made
        return made

    return enter


def run(
    subject: Measure, lab: Lab, rounds: int, clock: Callable[[], float] = time.monotonic
) -> Result:
    """Run the contenders in turn, A B C A B C ..., once to warm up and then for the rounds."""
    found: dict[str, list[float]] = defaultdict(list)
    with subject.open(lab) as contenders:
        if subject.warms_up:
            _turn(contenders)
        end = clock() + subject.budget_seconds
        for _ in range(rounds * subject.turns):
            for row, figure in _turn(contenders).items():
                found[row].append(figure)
            if clock() > end:
                break
    return Result(subject, dict(found))


def _turn(contenders: Contenders) -> dict[str, float]:
    rows: dict[str, float] = {}
    for name, contender in contenders.items():
        figures = contender()
        if isinstance(figures, Mapping):
            rows |= {f"{name}, {what}": figure for what, figure in figures.items()}
        else:
            rows[name] = figures
    return rows
