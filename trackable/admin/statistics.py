"""Statistics: the page of what was counted for one object, and its download."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from trackable.admin import access, buttons, overview
from trackable.admin.choices import STEP_NAMES, StatisticsForm
from trackable.admin.counts import Statistics, read, rows_of
from trackable.admin.pages import page
from trackable.charts import bar_chart
from trackable.charts.words import number_in_words, period_in_words
from trackable.exceptions import TrackableError

if TYPE_CHECKING:
    from django.db.models import Model

    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

TEMPLATE: Final = "admin/trackable/statistics.html"
TITLE: Final = _("Statistics")
#: A longer table is for a spreadsheet.
MAX_LINES: Final = 2_500
TOO_MANY: Final = _(
    "That is more than %(number)d lines: choose a shorter period or a coarser step, or download it."
)


class StatisticsAdmin(ModelAdmin):
    """Adds an overview, and a page for each object that a data class counts for, with buttons."""

    statistics_template = TEMPLATE
    overview_template = overview.TEMPLATE

    def get_urls(self) -> list[URLPattern]:
        buttons.wire(self.admin_site, self.model)
        return [
            self._path("statistics/<str:label>/<path:key>/", self.statistics_view, "statistics"),
            self._path("overview/", self.overview_view, "overview"),
            *super().get_urls(),
        ]

    def _path(self, route: str, view: Any, name: str) -> URLPattern:
        full_name = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        found: URLPattern = path(route, self.admin_site.admin_view(view), name=full_name)
        return found

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        name = f"{self.opts.app_label}_{self.opts.model_name}_overview"
        url = access.url_of(self.admin_site, name)
        return buttons.add_buttons(response, [buttons.Button(url, overview.TITLE)] if url else [])

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """Show the objects of which most was counted, and those that rise fastest."""
        return overview.view(self, request, rows_of(self, request))

    def statistics_view(self, request: HttpRequest, label: str, key: str) -> HttpResponseBase:
        """Show what was counted for an object, or give it as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        obj = access.object_of(self.admin_site, request, self.model, label, key)
        form = StatisticsForm(self.model, request.GET.dict())
        found = self._read(request, obj, form) if form.is_valid() else None
        if found is not None and request.GET.get("format") == "csv":
            from trackable.admin.download import download  # with what a fold takes

            return download(obj, found)
        if found is not None and len(found.lines()) > MAX_LINES:
            form.add_error(None, TOO_MANY % {"number": MAX_LINES})
            found = None
        context = {
            "title": TITLE,
            "subtitle": str(obj),
            "form": form,
            "object": obj,
            "object_opts": obj._meta,
            "object_url": _object_url(self.admin_site, obj),
            "tabs": list(self._tabs(request, obj)),
            **(_shown(found) if found else {}),
        }
        return page(self, request, self.statistics_template, **context)

    def _read(self, request: HttpRequest, obj: Model, form: StatisticsForm) -> Statistics | None:
        try:
            return read(rows_of(self, request).for_object(obj), form)
        except TrackableError as error:
            form.add_error(None, str(error))
            return None

    def _tabs(self, request: HttpRequest, obj: Model) -> Iterator[dict[str, Any]]:
        for model_admin in access.data_admins(self.admin_site, request, type(obj)):
            yield {
                "text": model_admin.opts.verbose_name,
                "url": access.statistics_url(model_admin, obj),
                "is_current": model_admin.model is self.model,
            }


def _object_url(site: admin.AdminSite, obj: Model) -> str | None:
    if access.admin_of(site, type(obj)) is None:
        return None
    name = f"{obj._meta.app_label}_{obj._meta.model_name}_change"
    return access.url_of(site, name, quote(obj.pk))


def _shown(found: Statistics) -> dict[str, Any]:
    return {
        "columns": found.columns,
        "totals": [number_in_words(column.total) for column in found.columns],
        "step": STEP_NAMES[found.step] if found.step else None,
        "charts": [
            (column.title, bar_chart(column.points, title=column.title, adds_up=column.adds_up))
            for column in found.columns
            if found.step
        ],
        "lines": [
            (period_in_words(start, end), [number_in_words(value) for value in values])
            for start, end, values in reversed(found.lines())
        ],
        "has_uniques": not all(column.adds_up for column in found.columns),
    }
