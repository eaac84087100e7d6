"""Overview: the page of the objects of which most was counted, and of those that rise fastest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from trackable import parents, sites
from trackable.admin import access, sparks
from trackable.admin.choices import DEFAULT_DAYS, PeriodForm
from trackable.admin.pages import page
from trackable.admin.rising import Riser, before, rising
from trackable.charts.words import number_in_words, period_in_words
from trackable.counters import counters_of
from trackable.exceptions import TrackableError
from trackable.querysets import TrackableQuerySet
from trackable.reading.series import DAY

if TYPE_CHECKING:
    from django.db.models import Model

TEMPLATE: Final = "admin/trackable/overview.html"
TITLE: Final = _("Overview")
MAX_OBJECTS: Final = 20


class OverviewForm(PeriodForm):
    """What an overview is asked for: a counter, as distinct counts of objects have no order."""

    def __init__(self, data_cls: Any, asked: dict[str, Any]) -> None:
        first = next(iter(counters_of(data_cls)), "")
        super().__init__(data_cls, asked, counter=first, period=DEFAULT_DAYS)

    def counters(self) -> list[tuple[str, Any]]:
        known = counters_of(self.data_cls)
        return [choice for choice in super().counters() if choice[0] in known]


@dataclass(frozen=True, slots=True)
class Place:
    """An object in a list, with the numbers that it is there for."""

    text: str
    url: str | None
    numbers: list[str]
    chart: SafeString | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """Both lists; ``rising`` is ``None`` where there is no time before, or nothing to compare."""

    top: list[Place]
    rising: list[Place] | None
    time: str = ""
    time_before: str = ""


def view(model_admin: Any, request: HttpRequest, rows: TrackableQuerySet[Any]) -> HttpResponse:
    """Return the page."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    form = OverviewForm(model_admin.model, request.GET.dict())
    context: dict[str, Any] = {
        "title": TITLE,
        "subtitle": capfirst(str(model_admin.opts.verbose_name_plural)),
        "form": form,
    }
    if form.is_valid():
        try:
            context["overview"] = _Reader(model_admin, request, rows, form).read()
            context["counter"] = dict(form.counters())[form.cleaned_data["counter"]]
            context["spark_title"] = sparks.TITLES.get(model_admin.model.period)
        except TrackableError as error:
            form.add_error(None, str(error))
    return page(model_admin, request, model_admin.overview_template, **context)


class _Reader:
    """Reads both lists, and draws a line for each object in them."""

    def __init__(
        self,
        model_admin: Any,
        request: HttpRequest,
        rows: TrackableQuerySet[Any],
        form: OverviewForm,
    ) -> None:
        self.model_admin = model_admin
        self.request = request
        self.rows = rows
        self.field = form.cleaned_data["counter"]
        self.days = form.days
        first, last = self.days.first, self.days.last
        self.now = (first, last) if first is not None and last is not None else None
        self.then = before(*self.now) if self.now else None

    def read(self) -> Overview:
        """Return both lists. Raises ``TrackableError``."""
        first, last = self.days.first, self.days.last
        top = self.rows.top(self.field, MAX_OBJECTS, start=first, end=last)
        found = [(each.obj, [each.value]) for each in top]
        risers = self._risers()
        objects = [obj for obj, _ in found] + [each.obj for each in risers or ()]
        charts = self._charts(objects)
        places = None
        if risers is not None:
            numbers = [
                (each.obj, [each.before, each.now, round(each.at_least, 2)]) for each in risers
            ]
            places = list(self._places(numbers, charts))
        return Overview(list(self._places(found, charts)), places, *self._times())

    def _risers(self) -> list[Riser] | None:
        data_cls: Any = self.rows.model
        if self.now is None or self.then is None:
            return None
        if not isinstance(counters_of(data_cls)[self.field], models.IntegerField):
            return None
        return rising(self.rows, self.field, MAX_OBJECTS, then=self.then, now=self.now)

    def _times(self) -> list[str]:
        found = [days for days in (self.now, self.then) if days is not None]
        return [period_in_words(first, last + DAY) for first, last in found]

    def _owner(self, obj: Model) -> sparks.Owner:
        data_cls = self.rows.model
        holder = sites.holder_of(type(obj), data_cls)
        target: Any = data_cls.parent_target()
        key = getattr(obj, (target or holder._meta.pk).attname)
        if target is not None:
            return (key,)
        field: Any = data_cls._meta.get_field("object_id")
        return parents.content_type_of(holder, self.rows.db).pk, field.to_python(str(key))

    def _charts(self, objects: list[Model]) -> dict[Model, SafeString]:
        if self.rows.model.period is None:
            return {}
        owners = {obj: self._owner(obj) for obj in objects}
        drawn = sparks.draw(self.rows, self.field, owners.values())
        return {obj: drawn[owner] for obj, owner in owners.items()}

    def _places(
        self, found: list[tuple[Model, list[Any]]], charts: dict[Model, SafeString]
    ) -> Iterator[Place]:
        for obj, numbers in found:
            texts = [number_in_words(number) for number in numbers]
            yield Place(str(obj), self._url(obj), texts, charts.get(obj))

    def _url(self, obj: Model) -> str | None:
        site = self.model_admin.admin_site
        if not access.may_view(site, self.request, obj):
            return None
        return access.statistics_url(self.model_admin, obj)
