"""Plans: what is to be rolled up at a moment. Pure: a retention and its marks give stretches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from trackable.rollups.boundaries import Start, due, start_in
from trackable.rollups.retention import Retention


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time whose rows become rows of a step; half-open, ``None`` for no beginning."""

    step: str
    since: Start | None
    before: Start
    #: It was done before: only what came late is to be found.
    is_done: bool = False

    @property
    def is_empty(self) -> bool:
        return self.since is not None and self.since >= self.before


def stretches(
    retention: Retention, untils: Mapping[str, datetime], *, now: datetime, zone: tzinfo
) -> list[Stretch]:
    """Return what is due, the coarsest first: the finer steps have no work with that any more.

    What is due for the first time comes before what may have come late.
    """
    new: list[Stretch] = []
    done: list[Stretch] = []
    finest = retention.finest
    since: Start | None = None  # what is before is of a coarser step
    for each in reversed(retention.roll_ups):
        before = due(each.step, age=each.age, now=now, finest=finest, zone=zone)
        until = since
        if each.step in untils:
            until = _later(since, start_in(untils[each.step], finest=finest, zone=zone))
            done.append(Stretch(each.step, since, until, is_done=True))
        new.append(Stretch(each.step, until, before))
        since = _later(until, before)
    return [each for each in [*new, *done] if not each.is_empty]


def _later(one: Start | None, other: Start) -> Start:
    return other if one is None else max(one, other)
