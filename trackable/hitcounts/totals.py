"""Totals: django-hitcount's number for each object, read in groups that have not too many hits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models import Subquery

from trackable.folding import keys
from trackable.hitcounts.plan import HitPlan
from trackable.hitcounts.tallies import PAGE_SIZE

GROUP_SIZE: Final = 500


@dataclass(frozen=True, slots=True)
class Total:
    """A total as it was read: ``newest`` is the greatest id of a hit at that moment."""

    id: int
    object_pk: Any
    hits: int
    modified: datetime
    newest: int


def grouped(plan: HitPlan, left: models.QuerySet[Any]) -> Iterator[list[Total]]:
    """Yield totals in the order of their ids, together what is about a page of hits."""
    for page in _pages(plan, left):
        group: list[Total] = []
        hits = 0
        for total in page:
            if group and hits + total.hits > PAGE_SIZE:
                yield group
                group, hits = [], 0
            group.append(total)
            hits += total.hits
        yield group


def _pages(plan: HitPlan, left: models.QuerySet[Any]) -> Iterator[list[Total]]:
    hits = plan.tables.hits._default_manager.using(plan.alias)
    newest = Subquery(hits.order_by("-pk").values("pk")[:1])
    # In one statement, so that both are of one moment.
    rows = left.annotate(newest=newest).values_list("pk", "object_pk", "hits", "modified", "newest")
    page = list(rows[:GROUP_SIZE])
    while page:
        yield [Total(pk, key, hits, at, newest or 0) for pk, key, hits, at, newest in page]
        page = list(rows.filter(pk__gt=page[-1][0])[:GROUP_SIZE])


def objects_of(plan: HitPlan, group: Iterable[Total]) -> dict[int, models.Model]:
    """Return the objects that are there, by the ids of totals, also what a manager hides."""
    alias, target = router.db_for_read(plan.model), plan.data_cls.parent_target()
    to_key = keys.parent_key(plan.model._meta.pk, alias)
    wanted = {}
    for total in group:
        try:
            wanted[total.id] = to_key(str(total.object_pk))
        except (ValueError, ValidationError):
            continue
    needed = ["pk"] if target is None else ["pk", target.name]
    found = plan.model._base_manager.using(alias).only(*needed).in_bulk({*wanted.values()})
    return {identity: found[key] for identity, key in wanted.items() if key in found}
