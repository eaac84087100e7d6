"""The tally: what must have been counted, known from what was sent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from trackable_tests.demo.runner.traffic import Request

ANSWERED: Final = (200, 302)

#: (target, day)
Key = tuple[str, str]


@dataclass
class Tally:
    """What was sent for each target and day.

    A request without an answer may have been counted or not. One that was answered on another
    day than it was sent was counted on either.
    """

    certain: Counter[Key] = field(default_factory=Counter)
    possible: Counter[Key] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    #: by target, of crawlers
    filtered: Counter[str] = field(default_factory=Counter)
    filtered_broken: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, request: Request) -> None:
        target = request.target
        if request.status and request.status not in ANSWERED:
            self.refused[f"{target} was answered with {request.status}"] += 1
        elif request.is_crawler:
            (self.filtered if request.status else self.filtered_broken)[target] += 1
        else:
            (self.answered if request.status else self.broken)[target] += 1
            self._add_days(request)

    def _add_days(self, request: Request) -> None:
        days = {request.first_day, request.last_day}
        if request.status and len(days) == 1:
            self.certain[request.target, request.first_day] += 1
        else:
            self.possible.update((request.target, day) for day in days)

    @property
    def without_answer(self) -> int:
        return self.broken.total() + self.filtered_broken.total()

    @property
    def keys(self) -> set[Key]:
        return {*self.certain, *self.possible}

    def expected(self, key: Key) -> str:
        """Return the count of a target on a day, as people write it."""
        return self.expected_of([key])

    def expected_of(self, keys: Iterable[Key]) -> str:
        """Return what several counts must add up to."""
        keys = list(keys)
        return _span(sum(self.certain[k] for k in keys), sum(self.possible[k] for k in keys))

    def errors(self, counted: Mapping[Key, int]) -> list[str]:
        """Say what is wrong with these counts; nothing if each of them is right."""
        refused = (f"{what}, {number:,} times" for what, number in self.refused.items())
        return [*self._wrong_days(counted), *self._wrong_totals(counted), *refused]

    def is_right(self, key: Key, count: int) -> bool:
        low = self.certain[key]
        return low <= count <= low + self.possible[key]

    def _wrong_days(self, counted: Mapping[Key, int]) -> Iterable[str]:
        for key in sorted(self.keys | counted.keys()):
            if not self.is_right(key, count := counted.get(key, 0)):
                yield f"{key[0]} on {key[1]}: sent {self.expected(key)}, counted {count}"

    def _wrong_totals(self, counted: Mapping[Key, int]) -> Iterable[str]:
        totals: Counter[str] = Counter()
        for (target, _), count in counted.items():
            totals[target] += count
        for target in sorted({target for target, _ in self.possible}):
            low = self.answered[target]
            if not low <= totals[target] <= low + self.broken[target]:
                expected = _span(low, self.broken[target])
                yield f"{target} on all days: sent {expected}, counted {totals[target]}"

    def crawler_errors(self, counted: Mapping[str, int], kinds: Mapping[str, str]) -> list[str]:
        """Compare crawlers' hits by kind; ``kinds`` has the kind of each target."""
        sent, broken = self._crawlers(kinds)
        return [
            f"crawlers' hits in {kind}: sent {_span(sent[kind], broken[kind])}, filtered {count}"
            for kind in sorted({*sent, *broken, *counted})
            if not sent[kind] <= (count := counted.get(kind, 0)) <= sent[kind] + broken[kind]
        ]

    def crawlers_expected(self, kinds: Mapping[str, str]) -> dict[str, str]:
        """Return the hits of crawlers by kind, as people write them."""
        sent, broken = self._crawlers(kinds)
        return {kind: _span(sent[kind], broken[kind]) for kind in sorted({*sent, *broken})}

    def _crawlers(self, kinds: Mapping[str, str]) -> tuple[Counter[str], Counter[str]]:
        sent: Counter[str] = Counter()
        broken: Counter[str] = Counter()
        for target, number in self.filtered.items():
            sent[kinds[target]] += number
        for target, number in self.filtered_broken.items():
            broken[kinds[target]] += number
        return sent, broken


def _span(low: int, more: int) -> str:
    return f"{low:,} to {low + more:,}" if more else f"{low:,}"
