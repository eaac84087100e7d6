"""The admin pages of what only folds write: looked at, filtered and searched, never edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from trackable.admin import access
from trackable.admin.buttons import Button, add_buttons
from trackable.labels import folded_classes
from trackable.models import LedgerEntry, QuarantinedMessage

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


HEALTH: Final = _("Health")


def may_view_health(site: admin.AdminSite, request: HttpRequest) -> bool:
    """Tell whether somebody may look at the ledger and at the quarantine, and so at all of it."""
    return all(
        access.may_view_all(site, request, model) for model in (LedgerEntry, QuarantinedMessage)
    )


class DataClassFilter(admin.SimpleListFilter):
    """By data class: those that there are, so that nothing is asked of a long table."""

    title = _("data class")
    parameter_name = "class"
    OTHER: Final = "other"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        labels = [(label, label) for label in _labels()]
        return [*labels, (self.OTHER, _("Other"))] if labels else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == self.OTHER:
            return queryset.exclude(data_class__in=_labels())
        return queryset.filter(data_class=self.value()) if self.value() in _labels() else queryset


def _labels() -> list[str]:
    return sorted(cls._meta.label for cls in folded_classes())


class ReadOnlyAdmin(ModelAdmin):
    """Shows what only folds write."""

    show_full_result_count = False
    list_filter = [DataClassFilter]

    class Media:
        css = {"all": ["trackable/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        url = access.url_of(self.admin_site, "trackable_health")
        if url is None or not may_view_health(self.admin_site, request):
            return response
        return add_buttons(response, [Button(url, HEALTH)])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset.filter(self.matching(search_term)) if search_term else queryset, False

    def matching(self, search_term: str) -> Q:
        """Return what a search finds."""
        return Q(batch_id=search_term.strip().replace("-", "").lower())
