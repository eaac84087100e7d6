"""Filters that are typed into: by an object, and by days, each as an index has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trackable.contrib.beacons import arrivals

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

#: More models than a list of them could show.
MAX_TYPES: Final = 50
TO_DAYS: Final = {_("Today"): 0, _("Past 7 days"): 6, _("Past 30 days"): 29}


class FormFilter(admin.ListFilter):
    """A form among the filters, which takes along what else the list is filtered by."""

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1].strip()
        self.objects: QuerySet[Any] = model_admin.get_queryset(request)

    def has_output(self) -> bool:
        return True

    def value(self, name: str) -> str:
        return str(self.used_parameters.get(name, ""))

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """Yield what the form needs besides its own fields, and then links beside it."""
        own: list[Any] = self.expected_parameters()
        others = {name: each for name, each in changelist.filter_params.items() if name not in own}
        yield {
            "others": [(name, value) for name, values in others.items() for value in values],
            "clear": changelist.get_query_string(remove=own)
            if any(self.value(name) for name in own)
            else "",
        }
        for display, params in self.shortcuts():
            yield {"display": display, "query_string": changelist.get_query_string(params)}

    def shortcuts(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield the names of links, and the parameters that they set."""
        yield from ()


class DayFilter(FormFilter):
    """From a day to another, both included, in the current time zone."""

    title = _("day")
    template = "admin/trackable_beacons/day_filter.html"
    time_name: str

    def expected_parameters(self) -> list[Any]:
        return ["from", "to"]

    @property
    def first(self) -> str:
        return self.value("from")

    @property
    def last(self) -> str:
        return self.value("to")

    def shortcuts(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        today = timezone.localdate() if settings.USE_TZ else date.today()  # noqa: DTZ011
        for display, days in TO_DAYS.items():
            yield display, {"from": today - timedelta(days=days), "to": today}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        try:
            if self.first:
                start = _midnight(date.fromisoformat(self.first))
                queryset = queryset.filter(**{f"{self.time_name}__gte": start})
            if self.last:
                end = _midnight(date.fromisoformat(self.last) + timedelta(days=1))
                queryset = queryset.filter(**{f"{self.time_name}__lt": end})
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error
        return queryset


def _midnight(day: date) -> datetime:
    moment = datetime.combine(day, time.min)
    # In UTC, which a year at either end may not have.
    return timezone.make_aware(moment).astimezone(UTC) if settings.USE_TZ else moment


class ObjectFilter(FormFilter):
    """By one object: its model, of those that there are beacons of, and its key."""

    template = "admin/trackable_beacons/object_filter.html"
    relation: str

    def expected_parameters(self) -> list[Any]:
        return [self.relation, self.key_name]

    @property
    def key_name(self) -> str:
        return f"{self.relation}_id"

    @property
    def key(self) -> str:
        return self.value(self.key_name)

    def has_output(self) -> bool:
        return bool(self.types)

    @cached_property
    def types(self) -> list[dict[str, Any]]:
        """The models to choose from: asked of the index for one after the other."""
        found: list[dict[str, Any]] = []
        name = f"{self.relation}_type_id"
        last: Any = 0
        while len(found) < MAX_TYPES:
            rest = self.objects.order_by(name).filter(**{f"{name}__gt": last})
            last = rest.values_list(name, flat=True).first()
            if last is None:
                break
            found.append(self._choice(ContentType.objects.db_manager(rest.db).get_for_id(last)))
        return found

    def _choice(self, content_type: ContentType) -> dict[str, Any]:
        label = f"{content_type.app_label}.{content_type.model}"
        model = content_type.model_class()
        return {
            "label": label,
            "text": model._meta.verbose_name if model else label,
            "id": content_type.pk,
            "model": model,
            "selected": label == self.value(self.relation).lower(),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not (self.key and self.value(self.relation)):
            return queryset
        for choice in self.types:
            if choice["selected"]:
                key = _key_of(choice["model"], self.key)
                if key is None:
                    break
                found = {f"{self.relation}_type": choice["id"], self.key_name: key}
                return queryset.filter(**found)
        return queryset.none()


def _key_of(model: Any, text: str) -> str | None:
    """Return a key as beacons have it; ``None`` for what cannot be one."""
    if "\0" in text:  # which no database stores, and some refuse to look for
        return None
    try:
        return arrivals.text_of(arrivals.key_of(model, text) if model else text)
    except ValueError:
        return None
