"""Tallies: what the rows of some objects' hits add up to, read in pages by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from trackable import spiders
from trackable.hitcounts.plan import HitPlan, aware, stored
from trackable.periods import encode_start

#: Rows of one query. Objects are taken together that have about as many hits.
PAGE_SIZE: Final = 20_000


@dataclass(slots=True)
class Tally:
    """The hits of one object that have rows: how many, and those taken by their period's start."""

    rows: int = 0
    crawlers: int = 0
    elsewhen: int = 0
    oldest: datetime | None = None
    starts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the hits of a stretch of time; all rows are counted if ``is_whole``.

    ``newest`` is the greatest id there was when the totals were read: what comes later is not
    in them.
    """

    plan: HitPlan
    since: datetime
    before: datetime
    is_whole: bool

    def read(self, ids: Sequence[int], newest: int) -> dict[int, Tally]:
        """Return a tally for each total with one of the ids."""
        tallies = {identity: Tally() for identity in ids}
        for _, identity, created, *agent in self._rows(ids, newest):
            tally, moment = tallies[identity], aware(created)
            tally.rows += 1
            tally.oldest = min(tally.oldest or moment, moment)
            if moment >= self.before:
                tally.elsewhen += 1
            elif agent and spiders.verdict(agent[0]) is not None:
                tally.crawlers += 1
            else:
                tally.starts[encode_start(self.plan.data_cls.period, moment)] += 1
        return tallies

    def _rows(self, ids: Sequence[int], newest: int) -> Iterator[tuple[Any, ...]]:
        """Yield the rows, object by object, as the index on these has them."""
        found = self.plan.tables.hits._default_manager.using(self.plan.alias)
        found = found.filter(pk__lte=newest).order_by("hitcount_id", "pk")
        if not self.is_whole:
            found = found.filter(created__gte=stored(self.since), created__lt=stored(self.before))
        agent = ["user_agent"] if self.plan.without_crawlers else []
        rows = found.values_list("pk", "hitcount_id", "created", *agent)
        left = list(ids)
        while True:
            page = list(rows.filter(hitcount_id__in=left)[:PAGE_SIZE])
            yield from page
            if len(page) < PAGE_SIZE:
                return
            left = [identity for identity in left if identity > page[-1][1]]
            while len(page) == PAGE_SIZE:  # there may be more of its last object
                last, identity, *_ = page[-1]
                page = list(rows.filter(hitcount_id=identity, pk__gt=last)[:PAGE_SIZE])
                yield from page
