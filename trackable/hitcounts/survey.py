"""Surveys: what django-hitcount's tables hold, asked of the database in few queries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import BigIntegerField, Count, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from trackable.hitcounts.plan import HitPlan


@dataclass(frozen=True, slots=True)
class Held:
    """A number of objects, and of hits on them."""

    objects: int
    hits: int


def content_type_id(plan: HitPlan) -> int | None:
    """Return the id by which the tables know the plan's model; ``None`` if they cannot."""
    meta = plan.model._meta.concrete_model._meta  # type: ignore[union-attr]
    known = ContentType.objects.using(plan.alias)
    found = known.filter(app_label=meta.app_label, model=meta.model_name)
    return found.values_list("pk", flat=True).first()


def totals(plan: HitPlan, content_type: int | None) -> QuerySet[Any]:
    """Return the totals of objects of a content type, in the order of their ids."""
    found = plan.tables.totals._default_manager.using(plan.alias)
    return found.filter(content_type_id=content_type).order_by("pk")


def timeless(plan: HitPlan, left: QuerySet[Any]) -> Held:
    """Return the objects of some totals that have more hits than rows, and how many more."""
    rows = plan.tables.hits._default_manager.order_by().filter(hitcount_id=OuterRef("pk"))
    number = Subquery(rows.values("hitcount_id").annotate(n=Count("pk")).values("n"))
    known = Coalesce(number, Value(0), output_field=BigIntegerField())
    more = left.order_by().annotate(known=known).filter(hits__gt=F("known"))
    sums = more.aggregate(objects=Count("pk"), all=Sum("hits"), with_rows=Sum("known"))
    return Held(sums["objects"], int((sums["all"] or 0) - (sums["with_rows"] or 0)))


def others(plan: HitPlan, content_type: int | None) -> Iterator[tuple[str, Held]]:
    """Yield what is counted of other models, by their labels; of some nobody may know the model."""
    found = plan.tables.totals._default_manager.using(plan.alias).order_by()
    grouped = found.exclude(content_type_id=content_type).values("content_type_id")
    sums = list(grouped.annotate(objects=Count("pk"), all=Sum("hits")))
    known = ContentType.objects.using(plan.alias).in_bulk(each["content_type_id"] for each in sums)
    for each in sorted(sums, key=lambda each: -each["all"]):
        kind = known.get(each["content_type_id"])
        unknown = f"content type {each['content_type_id']}, which is unknown"
        label = f"{kind.app_label}.{kind.model}" if kind else unknown
        yield label, Held(each["objects"], int(each["all"]))
