"""Sparklines of many objects at once: the last thirty periods of each, with one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable import parents
from trackable.admin.choices import fields_of
from trackable.charts import sparkline
from trackable.charts.words import number_in_words
from trackable.periods import current_zone, start_of
from trackable.reading.series import INSTANT
from trackable.reading.windows import DURING, loaded, stored
from trackable.rollups.boundaries import midnight

NUMBER: Final = 30
TITLES: Final = {
    "hour": _("last 30 hours"),
    "day": _("last 30 days"),
    "week": _("last 30 weeks"),
    "month": _("last 30 months"),
    "year": _("last 30 years"),
}

#: the values of a row's ``owner_columns``
Owner = tuple[Any, ...]


def starts_of(period: str, now: datetime) -> list[date | datetime]:
    """Return the starts of the last periods, oldest first, up to the one that is not over."""
    zone, moment, starts = current_zone(), now, list[date | datetime]()
    for _place in range(NUMBER):
        start = start_of(period, moment, zone)
        starts.append(start)
        moment = (start if isinstance(start, datetime) else midnight(start, zone)) - INSTANT
    return starts[::-1]


def draw(rows: QuerySet[Any], field: str, owners: Iterable[Owner]) -> dict[Owner, SafeString]:
    """Return the sparklines of a counter, or a distinct count, of the owners of some rows."""
    wanted = list(dict.fromkeys(owners))
    starts = starts_of(rows.model.period, datetime.now(UTC))
    found = _values(rows, field, wanted, starts)
    title = fields_of(rows.model)[field]
    return {owner: _drawn(rows.model, title, found[owner]) for owner in wanted}


def _values(
    rows: QuerySet[Any], field: str, owners: Sequence[Owner], starts: Sequence[Any]
) -> dict[Owner, list[Any]]:
    names = parents.owner_columns(rows.model)
    places = {start: place for place, start in enumerate(starts)}
    found: dict[Owner, list[Any]] = defaultdict(lambda: [0] * len(starts))
    recent = rows.filter(_owned_by(owners, names), **{f"{DURING}__gte": stored(starts[0])})
    for *owner, start, value in recent.order_by().values_list(*names, DURING, field):
        place = places.get(loaded(start))
        if place is not None:
            found[tuple(owner)][place] += int(value) if isinstance(value, int) else (value or 0)
    return found


def _owned_by(owners: Sequence[Owner], names: Sequence[str]) -> Q:
    """Return the condition for the rows of some owners, in a form that the unique key serves."""
    keys: dict[Owner, list[Any]] = defaultdict(list)
    for *first, last in owners:
        keys[tuple(first)].append(last)
    condition = Q(pk__in=[])
    for first_values, last_values in keys.items():
        same = dict(zip(names, first_values, strict=False))
        condition |= Q(**same, **{f"{names[-1]}__in": last_values})
    return condition


def _drawn(data_cls: Any, title: str, values: Sequence[Any]) -> SafeString:
    words = {
        "title": title,
        "time": TITLES[data_cls.period],
        "total": number_in_words(sum(values)),
        "most": number_in_words(max(values)),
    }
    label = gettext("%(title)s, %(time)s: %(total)s in all, at most %(most)s") % words
    return sparkline(values, label=label)


def column(data_cls: Any, title: Any) -> Any:
    """Return the column for what was drawn for each row; without periods, it is a link alone."""

    @admin.display(description=TITLES.get(data_cls.period, title))
    def statistics(row: Any) -> Any:
        return getattr(row, "_statistics", "")

    return statistics
