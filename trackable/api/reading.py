"""Reading: what is answered about counts, with a bounded number of queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Sum

from trackable import parents, sites
from trackable.api import subjects
from trackable.api.answers import Answer
from trackable.api.paging import page_of
from trackable.api.problems import absent, unfit
from trackable.api.subjects import Subject, shown
from trackable.api.times import Time, closed_time_of, text_of, time_of
from trackable.periods import current_zone
from trackable.querysets import TrackableQuerySet
from trackable.reading import owners
from trackable.reading.sums import CounterSum, counter_of
from trackable.reading.windows import period_of

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackable.counters import Amount

    Total = tuple[dict[str, str] | None, Amount]

Sent = Mapping[str, Any]

#: How many places there are on all pages of ``top`` together.
MAX_PLACES: Final = 1000
OBJECT_CELLS: Final = ("model", "id", "text")


def series(request: HttpRequest, sent: Sent) -> Answer:
    """Return the points of an object's counter, or of that of all objects together."""
    subject, obj = _find_one(request, sent)
    step = sent["by"] or period_of(subject.data_cls)
    time = closed_time_of(sent, step)
    rows = subject.rows() if obj is None else subject.rows().for_object(obj)
    points = rows.series(subject.field, by=step, **time.bounds)
    listed = [
        {"start": text_of(each.start), "end": text_of(each.end), "value": each.value}
        for each in points
    ]
    members = {
        **_head(subject, time),
        "object": obj and shown(obj),
        "by": step,
        "zone": str(current_zone()),
        "points": listed,
    }
    return Answer(members, ["start", "end", "value"], [list(each.values()) for each in listed])


def total(request: HttpRequest, sent: Sent) -> Answer:
    """Return the totals of objects that are named, or the one of all objects together."""
    keys = list(dict.fromkeys(sent["object"]))
    subject, objects = _find_some(request, sent, keys)
    time = time_of(sent)
    if keys:
        values = _totals(subject, objects.values(), time)
        found: list[Total] = [(shown(obj), values[obj.pk]) for obj in objects.values()]
    else:
        found = [(None, _within(subject, time).total(subject.field))]
    members = {
        **_head(subject, time),
        "results": [{"object": obj, "value": value} for obj, value in found],
        "missing": [key for key in keys if key not in objects],
    }
    rows = [[*_cells(obj), value] for obj, value in found]
    return Answer(members, [*OBJECT_CELLS, "value"], rows)


def top(request: HttpRequest, sent: Sent) -> Answer:
    """Return the objects of which most was counted: a page of the first ``MAX_PLACES``."""
    subject = subjects.find_all(request, sent)
    time, page = time_of(sent), page_of(sent)
    wanted = min(page.end + 1, MAX_PLACES) if page.first < MAX_PLACES else 0
    found = subject.rows().top(subject.field, wanted, **time.bounds) if wanted else []
    links = page.links(request, len(found))
    results = [
        {"rank": rank, "object": shown(each.obj), "value": each.value}
        for rank, each in enumerate(page.of(found), start=page.first + 1)
    ]
    members = {**_head(subject, time), "results": results, **page.members(links)}
    rows = [[each["rank"], *_cells(each["object"]), each["value"]] for each in results]
    return Answer(members, ["rank", *OBJECT_CELLS, "value"], rows, links)


def _find_one(request: HttpRequest, sent: Sent) -> tuple[Subject, Model | None]:
    key = sent["object"]
    subject, objects = _find_some(request, sent, [] if key is None else [key])
    if key is not None and key not in objects:
        raise absent("object", "There is no such object.")
    return subject, objects.get(key)


def _find_some(
    request: HttpRequest, sent: Sent, keys: Sequence[str]
) -> tuple[Subject, dict[str, Model]]:
    """Return what a request asks about: of the objects with these keys, or without any, of all."""
    if keys:
        return subjects.find_objects(request, sent, keys)
    subject = subjects.find_all(request, sent)
    if subject.is_unique:
        # Each object has a sketch of up to 8 kB for each period.
        raise unfit("object", "Name an object: distinct counts of all objects are not united here.")
    return subject, {}


def _within(subject: Subject, time: Time) -> TrackableQuerySet[Any]:
    rows = subject.rows()
    return rows if time == Time() else rows.between(time.start, time.end)


def _totals(subject: Subject, objects: Collection[Model], time: Time) -> dict[Any, Amount]:
    """Return the totals of objects by their primary keys.

    With one query, or for distinct counts, which no database can unite, with one for each.
    """
    rows = _within(subject, time)
    if subject.is_unique:
        return {obj.pk: rows.for_object(obj).total(subject.field) for obj in objects}
    [model] = subject.models
    name = owners.key_name(subject.data_cls, sites.holder_of(model, subject.data_cls))
    keys = {obj.pk: str(getattr(obj, name)) for obj in objects}
    owner = parents.owner_columns(subject.data_cls)[-1]
    # No iterator(): PostgreSQL plans a cursor for its first rows, and reads all the index then.
    sums = (
        rows.filter(parents.rows_of(subject.data_cls, model, keys.values()))
        .values_list(owner)
        .annotate(trackable_sum=Sum(subject.field))
    )
    found = {str(key): total for key, total in sums.order_by()}
    summand = CounterSum(counter_of(subject.data_cls, subject.field))
    return {pk: summand.cleaned(found.get(key)) for pk, key in keys.items()}


def _head(subject: Subject, time: Time) -> dict[str, Any]:
    return {**subject.members, **time.words}


def _cells(obj: Mapping[str, str] | None) -> list[str]:
    return [(obj or {}).get(name, "") for name in OBJECT_CELLS]
