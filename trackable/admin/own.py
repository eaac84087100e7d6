"""The admin pages of trackable's own models; those of data classes are shown by the registry."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Left, Length
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from trackable import conf, spiders
from trackable.admin.data import TrackableDataAdmin
from trackable.models import LedgerEntry, QuarantinedMessage, Spider, TrackableData

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

logger = logging.getLogger(__name__)

MAX_REASON_LENGTH: Final = 120
MAX_PAYLOAD_LENGTH: Final = 10_000

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
        return queryset.filter(data_class=self.value()) if self.value() else queryset


def _labels() -> list[str]:
    found = [model for model in apps.get_models() if issubclass(model, TrackableData)]
    return sorted(model._meta.label for model in found)


class ReadOnlyAdmin(ModelAdmin):
    """Shows what only folds write."""

    show_full_result_count = False
    list_filter = [DataClassFilter]

    class Media:
        css = {"all": ["trackable/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        return queryset.filter(batch_id=search_term.strip().replace("-", "").lower()), False


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """Shows what is folded. A missing entry would let its batch be counted again."""

    list_display = ["folded_at", "data_class", "increments", "filtered", "dropped", "batch_id"]
    list_filter = [DataClassFilter, "folded_at"]
    ordering = ["-folded_at", "-pk"]
    search_fields = ["batch_id"]
    search_help_text = _("Search for the id of a batch.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(QuarantinedMessage)
class QuarantinedMessageAdmin(ReadOnlyAdmin):
    """Shows what could not be folded, and why; purging removes it for good."""

    list_display = ["short_reason", "data_class", "increments", "age"]
    list_filter = [DataClassFilter, "quarantined_at"]
    fields = ["reason", "data_class", "increments", "quarantined_at", "batch_id", "shown_payload"]
    search_fields = ["batch_id"]
    search_help_text = _("Search for the id of a batch.")
    actions = ["delete_selected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the payloads where they are: one may have 64 MiB."""
        return super().get_queryset(request).defer("payload")

    @admin.action(description=_("Purge the selected messages"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Purge; stands for the admin's own action, which names each row on a page that asks."""
        if "confirmed" not in request.POST:
            return self._ask(request, queryset.count())
        number, _by_model = queryset.order_by().delete()
        logger.info("%s has purged %d quarantined messages.", request.user, number)
        text = ngettext("%d message was purged.", "%d messages were purged.", number)
        self.message_user(request, text % number, messages.SUCCESS)
        return None

    def _ask(self, request: HttpRequest, number: int) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Are you sure?"),
            "opts": self.opts,
            "number": number,
            "posted": [
                (name, value)
                for name, values in request.POST.lists()
                for value in values
                if name != "csrfmiddlewaretoken"
            ],
        }
        template = "admin/trackable/quarantinedmessage/purge.html"
        return TemplateResponse(request, template, context)

    @admin.display(description=_("reason"))
    def short_reason(self, message: QuarantinedMessage) -> str:
        return Truncator(message.reason).chars(MAX_REASON_LENGTH)

    @admin.display(description=_("age"), ordering="quarantined_at")
    def age(self, message: QuarantinedMessage) -> str:
        return timesince(message.quarantined_at, timezone.now())

    @admin.display(description=_("payload"))
    def shown_payload(self, message: QuarantinedMessage) -> str:
        stored = QuarantinedMessage._base_manager.using(message._state.db).filter(pk=message.pk)
        start, length = stored.values_list(
            Left("payload", MAX_PAYLOAD_LENGTH), Length("payload")
        ).get()
        shown = format_html('<pre class="trackable-payload">{}</pre>', start)
        if length <= MAX_PAYLOAD_LENGTH:
            return shown
        note = gettext("The first %(shown)d of %(length)d characters.")
        return format_html("{}<p>{}</p>", shown, note % {"shown": len(start), "length": length})


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
