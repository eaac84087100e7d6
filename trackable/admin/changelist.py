"""The list of a data class's rows in the admin: its columns, its dates and its filter by model."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import models
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

from trackable import parents
from trackable.uniques.fields import UniqueCount

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class DataChangeList(ChangeList):
    """Finds the parents of a page of rows at once, and dates without reading every row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.date_hierarchy == "collected_during":
            # The template tag asks for these; Django's own would sort a million rows by day,
            # and need time zones that many a MySQL has not loaded.
            self.queryset.dates = self.queryset.datetimes = self._dates

    def get_filters(self, request: HttpRequest) -> Any:
        try:
            return super().get_filters(request)
        except OverflowError as error:
            # A year that no date has; of one that is just not in range Django says so itself.
            raise IncorrectLookupParameters(error) from error

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        model_admin: Any = self.model_admin
        model_admin.attach_parents(request, self.result_list)
        model_admin.attach_statistics(request, self.result_list)

    def _dates(self, field_name: str, kind: str) -> list[date]:
        """Return the years, months or days from the first row's to the last row's."""
        ends = self.queryset.aggregate(first=Min(field_name), last=Max(field_name))
        if ends["first"] is None:
            return []
        days = steps(_local_date(ends["first"]), _local_date(ends["last"]), kind)
        data_cls: Any = self.model
        if data_cls.period == "week" and kind == "day":
            return [day for day in days if day.weekday() == 0]
        return days


def _local_date(start: date | datetime) -> date:
    if not isinstance(start, datetime):
        return start
    return (timezone.localtime(start) if timezone.is_aware(start) else start).date()


def steps(first: date, last: date, kind: str) -> list[date]:
    """Return the starts of the years, months or days that two days and those between are in."""
    match kind:
        case "year":
            return [date(year, 1, 1) for year in range(first.year, last.year + 1)]
        case "month":
            months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
            return [date(month // 12, month % 12 + 1, 1) for month in months]
    return [first + timedelta(days=days) for days in range((last - first).days + 1)]


class ParentModelFilter(admin.SimpleListFilter):
    """By model, where a data class counts for several: for the registered ones alone."""

    title = _("model")
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        found = parents.models_of(model_admin.model)
        named = [(model._meta.label_lower, model._meta.verbose_name_plural) for model in found]
        return named if len(named) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for model in parents.models_of(queryset.model):
            if model._meta.label_lower == self.value():
                wanted = parents.content_type_of(model, queryset.db)
                return queryset.filter(content_type=wanted)
        return queryset


def rounded_column(field: models.FloatField[Any, Any]) -> Any:
    """Return a column for a float: its last digits tell nobody anything."""

    @admin.display(description=field.verbose_name, ordering=field.name)
    def column(row: Any) -> str:
        return formats.number_format(round(getattr(row, field.name), 2))

    column.__name__ = field.name
    return column


def estimate_column(field: UniqueCount) -> Any:
    """Return a column for a distinct count, which no database can order rows by."""

    @admin.display(description=field.verbose_name)
    def column(row: Any) -> str:
        return formats.number_format(int(getattr(row, field.name)))

    column.__name__ = field.name
    return column


def period_text(period: str | None, start: Any) -> str:
    """Return a period as people write it, in the language of the page."""
    match period:
        case "hour":
            local = timezone.localtime(start) if timezone.is_aware(start) else start
            return formats.date_format(local, "DATETIME_FORMAT")
        case "week":
            days = (start, start + timedelta(days=6))
            return " – ".join(formats.date_format(day) for day in days)  # noqa: RUF001
        case "month":
            return formats.date_format(start, "YEAR_MONTH_FORMAT")
        case "year":
            return str(start.year)
    return formats.date_format(start)
