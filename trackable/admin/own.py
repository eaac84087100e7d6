"""The admin pages of the ledger and the spiders; the registry shows those of data classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable import conf, spiders
from trackable.admin.data import TrackableDataAdmin
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
        return [path("try/", view, name="trackable_spider_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the filter says of a user agent; the visitor's own, to begin with."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        spiders.refresh()
        agent = request.GET.get("agent", request.headers.get("User-Agent", ""))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Try a user agent"),
            "opts": self.opts,
            "agent": agent,
            "verdict": spiders.verdict(agent or None),
            "filtering": conf.get("USER_AGENT_FILTERING"),
        }
        return TemplateResponse(request, "admin/trackable/spider/try.html", context)
