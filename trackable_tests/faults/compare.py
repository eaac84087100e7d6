"""Comparison of what was counted with what was acknowledged, row by row. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trackable_tests.faults.records import Expected, Recorded
from trackable_tests.faults.traffic import Counter


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that is not what it must be; ``excess`` is negative where counts are lost."""

    counter: Counter
    acknowledged: Decimal
    uncertain: tuple[Decimal, ...]
    counted: Decimal
    excess: Decimal

    @property
    def increments(self) -> int:
        """The number of increments in the excess; 0 where amounts are mixed: nobody can tell."""
        unit = self.counter.unit
        return round(self.excess / unit) if unit else 0

    def __str__(self) -> str:
        counter = self.counter
        where = f"{counter.data_class} page {counter.page} {counter.period or '-'} {counter.field}"
        open_ones = f", without an answer {', '.join(map(str, self.uncertain))}"
        return (
            f"{where}: acknowledged {self.acknowledged}{open_ones if self.uncertain else ''},"
            f" counted {self.counted}: {self.excess:+}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    rows: int
    counted: int
    differences: tuple[Difference, ...]

    @property
    def lost(self) -> int:
        return -sum(d.increments for d in self.differences if d.increments < 0)

    @property
    def doubled(self) -> int:
        return sum(d.increments for d in self.differences if d.increments > 0)


def compare(recorded: Recorded, counted: Mapping[Counter, Decimal]) -> Comparison:
    """Compare every counter that is known on either side."""
    known = sorted({*recorded.counters, *counted})
    found = tuple(_differences(known, recorded.counters, counted))
    return Comparison(len(known), _increments(known, recorded.counters, counted), found)


def _differences(
    known: Iterable[Counter],
    expected: Mapping[Counter, Expected],
    counted: Mapping[Counter, Decimal],
) -> Iterator[Difference]:
    for counter in known:
        wanted, found = expected.get(counter, Expected()), counted.get(counter, Decimal(0))
        excess = _excess(found - wanted.acknowledged, wanted.uncertain)
        if excess:
            open_ones = tuple(wanted.uncertain)
            yield Difference(counter, wanted.acknowledged, open_ones, found, excess)


def _excess(over: Decimal, uncertain: Iterable[Decimal]) -> Decimal:
    """Return by how much a sum misses the nearest that some of the uncertain ones explain."""
    explained = {Decimal(0)}
    for amount in uncertain:
        explained |= {total + amount for total in explained}
    return min((over - total for total in explained), key=abs)


def _increments(
    known: Iterable[Counter],
    expected: Mapping[Counter, Expected],
    counted: Mapping[Counter, Decimal],
) -> int:
    """Return the number of increments counted; where amounts are mixed, take those expected."""
    total = 0
    for counter in known:
        unit = counter.unit
        if unit is None:
            total += expected.get(counter, Expected()).increments
        else:
            total += round(counted.get(counter, Decimal(0)) / unit)
    return total
