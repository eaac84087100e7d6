"""The default admin pages of data classes, made from what each class has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import get_text_list
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable import parents
from trackable.admin import access, corrections, sparks
from trackable.admin.changelist import (
    DataChangeList,
    ParentModelFilter,
    estimate_column,
    period_text,
    rounded_column,
)
from trackable.admin.corrections import CountersForm
from trackable.admin.counts import rows_of
from trackable.admin.statistics import TITLE, StatisticsAdmin
from trackable.counters import counters_of
from trackable.parents import Parent
from trackable.uniques.fields import UniqueCount, uniques_of

if TYPE_CHECKING:
    from trackable.models import TrackableData

#: How many objects a search takes from each model; their rows are then found by their keys.
MAX_PARENTS: Final = 500
TOO_MANY: Final = _("More than %(number)d objects match: only that many are shown.")
CORRECTING: Final = _(
    "A number that you change is added as a difference: what is counted meanwhile is kept."
)


class TrackableDataAdmin(StatisticsAdmin):
    """Shows the rows of a data class: object, period and counters; and statistics of objects.

    Rows are made by folds alone: one typed by hand could be for an object that does not exist.
    Counters can be corrected, and a correction is added as a difference, so that what is
    folded while somebody types is not lost. Attributes of ``ModelAdmin`` that a subclass sets
    replace the defaults.
    """

    form = CountersForm
    show_full_result_count = False

    class Media:
        css = {"all": ["trackable/admin.css", "trackable/charts.css"]}

    def __init__(self, model: type[TrackableData], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self._period_fields = [name for name in model.key_fields() if name == "collected_during"]
        if self._period_fields and self.date_hierarchy is None:
            self.date_hierarchy = "collected_during"  # type: ignore[misc]

    @property
    def _counters(self) -> list[str]:
        data_cls: type[TrackableData] = self.model
        return list(counters_of(data_cls))

    # the list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DataChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        return queryset if parents.is_generic(self.model) else queryset.select_related("parent")

    def get_ordering(self, request: HttpRequest) -> Any:
        newest_first = [*(f"-{name}" for name in self._period_fields), "-pk"]
        return super().get_ordering(request) or self.opts.ordering or newest_first

    def get_list_display(self, request: HttpRequest) -> Any:
        given = super().get_list_display(request)
        if tuple(given) != ("__str__",):
            return given
        during = ["during"] if self._period_fields else []
        columns = map(self._column, self._counters + self._uniques)
        statistics = sparks.column(self.model, TITLE)
        if not during:
            return ["counted_object", *columns, statistics]
        return ["counted_object", *during, statistics, *columns]

    @property
    def _uniques(self) -> list[str]:
        data_cls: type[TrackableData] = self.model
        return list(uniques_of(data_cls))

    def _column(self, name: str) -> Any:
        field = self.opts.get_field(name)
        if isinstance(field, UniqueCount):
            return estimate_column(field)
        return rounded_column(field) if isinstance(field, models.FloatField) else name

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        """Let the object's own name lead to the object, and the next column to the row."""
        links = super().get_list_display_links(request, list_display)
        if links != ["counted_object"]:
            return links
        taken = {"counted_object", *self.list_editable}
        return [column for column in list_display if column not in taken][:1] or None

    def get_list_filter(self, request: HttpRequest) -> Any:
        by_model = [ParentModelFilter] if parents.is_generic(self.model) else []
        return super().get_list_filter(request) or [*self._period_fields, *by_model]

    # the row

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.attach_parents(request, [row])
        return row

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.fields:
            return self.fields
        counters = self._counters + self._uniques
        known = {*counters, *self.model.key_fields(), self.opts.pk.name}
        own = [f.name for f in self.opts.fields if f.editable and f.name not in known]
        during = ["during"] if self._period_fields else []
        return ["counted_object", *during, *counters, *own]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.fieldsets or not self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": self.get_fields(request, obj), "description": CORRECTING})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        given = super().get_readonly_fields(request, obj)
        return [*given, "counted_object", "during", *self._uniques, *self.model.key_fields()]

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name in self._counters:
            field.show_hidden_initial = True
        return field

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, **{"form": CountersForm, **kwargs})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        corrections.save(form, obj)

    # the search

    @property
    def search_help_text(self) -> Any:  # type: ignore[override]
        names = [str(model._meta.verbose_name) for model in parents.models_of(self.model)]
        return _("Search for a %(names)s by its text, or by its id.") % {
            "names": get_text_list(names, gettext("or"))
        }

    def get_search_fields(self, request: HttpRequest) -> Any:
        """Return what makes the admin show its search box: the search goes by objects."""
        return super().get_search_fields(request) or ["pk"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find objects by text, and then their rows by key: no text search over all the rows."""
        if self.search_fields or not search_term:
            return super().get_search_results(request, queryset, search_term)
        wanted = Q(pk__in=[])
        for model in parents.models_of(self.model):
            found = self._search_parents(request, model, search_term)
            keys = parents.keys_of(self.model, found, MAX_PARENTS + 1)
            if len(keys) > MAX_PARENTS:
                self.message_user(request, TOO_MANY % {"number": MAX_PARENTS}, messages.WARNING)
            keys = [search_term.strip(), *keys[:MAX_PARENTS]]
            wanted |= parents.rows_of(self.model, model, keys)
        return queryset.filter(wanted), False

    def _search_parents(
        self, request: HttpRequest, model: type[models.Model], search_term: str
    ) -> QuerySet[Any]:
        """Search as the model's own admin pages do, or else in its texts."""
        searcher = None
        if self.admin_site.is_registered(model):
            searcher = self.admin_site.get_model_admin(model)
        if searcher is None or not searcher.get_search_fields(request):
            searcher = admin.ModelAdmin(model, self.admin_site)
            searcher.search_fields = parents.text_fields(model)  # type: ignore[misc]
        queryset = searcher.get_queryset(request)
        if not searcher.get_search_fields(request):
            return queryset.none()
        return searcher.get_search_results(request, queryset, search_term)[0]

    # objects

    def attach_parents(self, request: HttpRequest, rows: Any) -> None:
        """Put into each row what ``counted_object`` shows, with a query for each model."""
        found = parents.find(rows)
        for row in rows:
            row._counted_object = self._link(request, found[row.pk])
            row._statistics_url = self._statistics_url(request, found[row.pk])

    def _link(self, request: HttpRequest, parent: Parent) -> str:
        if parent.obj is None:
            return parent.text
        try:
            model_admin = self.admin_site.get_model_admin(type(parent.obj))
        except NotRegistered:
            return parent.text
        if not model_admin.has_view_or_change_permission(request):
            return parent.text
        opts = parent.obj._meta
        name = f"admin:{opts.app_label}_{opts.model_name}_change"
        try:
            url = reverse(name, args=[quote(parent.obj.pk)], current_app=self.admin_site.name)
        except NoReverseMatch:
            return parent.text
        return format_html('<a href="{}">{}</a>', url, parent.text)

    @admin.display(description=_("object"))
    def counted_object(self, row: Any) -> str:
        text = getattr(row, "_counted_object", None)  # absent with another ChangeList
        return str(text if text is not None else parents.find([row])[row.pk].text)

    def _statistics_url(self, request: HttpRequest, parent: Parent) -> str | None:
        if parent.obj is None or not access.may_view(self.admin_site, request, parent.obj):
            return None
        return access.statistics_url(self, parent.obj)

    def attach_statistics(self, request: HttpRequest, rows: Any) -> None:
        """Put a line of the object's last periods into each row, with one query for all."""
        drawn: dict[Any, Any] = {}
        names = parents.owner_columns(self.model)
        owners = {row.pk: tuple(getattr(row, name) for name in names) for row in rows}
        field = next(iter(self._counters + self._uniques), None)
        if self.model.period is not None and field is not None and rows:
            drawn = sparks.draw(rows_of(self, request), field, owners.values())
        for row in rows:
            shown = drawn.get(owners[row.pk], TITLE if row._statistics_url else "")
            link = format_html('<a href="{}">{}</a>', row._statistics_url, shown)
            row._statistics = link if row._statistics_url else shown

    @admin.display(description=TITLE)
    def statistics(self, row: Any) -> Any:
        return getattr(row, "_statistics", "")

    @admin.display(description=_("collected during"), ordering="collected_during")
    def during(self, row: Any) -> str:
        return period_text(self.model.period, row.collected_during)
