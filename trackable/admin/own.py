"""The admin pages of the ledger and the spiders; the registry shows those of data classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable import conf, spiders
from trackable.admin import filtered
from trackable.admin.data import TrackableDataAdmin
from trackable.admin.pages import page
from trackable.admin.readonly import DataClassFilter, ReadOnlyAdmin
from trackable.models import LedgerEntry, Spider, TrackableData

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

_shown: dict[type[TrackableData], type[Any]] = {}


def show(data_cls: type[TrackableData], admin_cls: type[Any] | None) -> None:
    """Give a data class its pages in the default admin, unless it has some there."""
    if not admin.site.is_registered(data_cls):
        _shown[data_cls] = admin_cls or TrackableDataAdmin
        admin.site.register(data_cls, _shown[data_cls])


def hide(data_cls: type[TrackableData]) -> None:
    """Take away the pages that ``show`` gave; those of the project's own stay."""
    admin_cls = _shown.pop(data_cls, None)
    if admin_cls is None or not admin.site.is_registered(data_cls):
        return
    if type(admin.site.get_model_admin(data_cls)) is admin_cls:
        admin.site.unregister(data_cls)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """Shows what is folded. A missing entry would let its batch be counted again."""

    list_display = [
        "folded_at",
        "data_class",
        "increments",
        "filtered",
        "dropped",
        "damaged",
        "batch_id",
    ]
    list_filter = [DataClassFilter, "folded_at"]
    ordering = ["-folded_at", "-pk"]
    search_fields = ["batch_id"]
    search_help_text = _("Search for the id of a batch.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.health_view)
        return [path("health/", view, name="trackable_health"), *super().get_urls()]

    def health_view(self, request: HttpRequest) -> HttpResponse:
        """Show how things stand, to whoever may look at the ledger and the quarantine."""
        from trackable.admin import health  # with what it takes to ask a broker

        return health.view(self, request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Spider)
class SpiderAdmin(ModelAdmin):
    """Edits the patterns of user agents not to count, and tries a user agent against them."""

    list_display = ["pattern", "kind", "notes"]
    list_filter = ["kind"]
    search_fields = ["pattern", "notes"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_view)
        filtered_view = self.admin_site.admin_view(self.filtered_view)
        return [
            path("try/", view, name="trackable_spider_try"),
            path("filtered/", filtered_view, name="trackable_spider_filtered"),
            *super().get_urls(),
        ]

    def filtered_view(self, request: HttpRequest) -> HttpResponse:
        """Show what was kept out by which pattern, with buttons to have it counted."""
        return filtered.view(self, request)

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the filter says of a user agent; the visitor's own, to begin with."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        spiders.refresh()
        agent = request.GET.get("agent", request.headers.get("User-Agent", ""))
        context = {
            "title": gettext("Try a user agent"),
            "agent": agent,
            "verdict": spiders.verdict(agent or None),
            "filtering": conf.get("USER_AGENT_FILTERING"),
        }
        return page(self, request, "admin/trackable/spider/try.html", **context)
