"""The admin pages of callbacks: how each stands, why it failed, and trying it again."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.db import router
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from trackable.contrib.affiliations import conf
from trackable.contrib.affiliations.admin.lists import LongListAdmin, key_of, linked
from trackable.contrib.affiliations.models import Attempt, Callback

if TYPE_CHECKING:
    Inline = admin.TabularInline[Any, Any]
else:
    Inline = admin.TabularInline

# What delivers is imported where it is used: every process has these pages.

logger = logging.getLogger(__name__)


class TriggerFilter(admin.SimpleListFilter):
    """By trigger: by those that are configured, so that nothing is asked of a long table."""

    title = _("trigger")
    parameter_name = "trigger"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return conf.trigger_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(trigger=self.value()) if self.value() else queryset


class AttemptInline(Inline):
    """Shows what was tried."""

    model = Attempt
    extra = 0
    can_delete = False
    fields = ["made_at", "status_code", "error", "duration_ms"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # of who may see the callback


@admin.register(Callback)
class CallbackAdmin(LongListAdmin):
    """Shows the calls that partners are owed.

    Nobody changes one; the permission to change them is that to have them tried again.
    """

    list_display = ["created_at", "partner", "trigger", "state", "reason", "due", "attempts_made"]
    list_display_links = ["created_at"]
    list_filter = ["state", TriggerFilter, "created_at"]
    list_select_related = ["visitor__partner"]
    sortable_by = ["created_at"]
    ordering = ["-created_at", "-id"]
    search_help_text = _(
        "Search for the number of a visitor, the uid of a partner, or an idempotency key."
    )
    search_fields = ["key"]
    fields = [
        *("partner", "visitor", "trigger", "url", "key", "state", "created_at"),
        *("due_at", "attempts_made", "delivered_at"),
    ]
    inlines = [AttemptInline]
    actions = ["retry_selected"]

    def has_retry_permission(self, request: HttpRequest) -> bool:
        codename = get_permission_codename("change", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: one that is gone is owed once more when its trigger completes again."""
        return False

    def matching(self, search_term: str) -> Q:
        text = search_term.strip()
        found = Q(visitor__partner__uid=text)
        if (number := key_of(text)) is not None:
            found |= Q(visitor=number)
        with suppress(ValueError):
            found |= Q(key=UUID(text))
        return found

    def attach(self, rows: Any) -> None:
        """Put into each callback what its last attempt says, with one query."""
        found = {row.pk: row for row in rows}
        attempts = Attempt._base_manager.using(self._using()).filter(callback__in=list(found))
        last = dict(attempts.order_by("made_at", "pk").values_list("callback", "error"))
        for row in rows:
            row.last_error = last.get(row.pk, "")

    def _using(self) -> str:
        return router.db_for_read(Attempt)

    # the action

    @admin.action(description=_("Try the selected callbacks again"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        from trackable.contrib.affiliations import delivery

        selected = queryset.count()
        number = delivery.retry(queryset.using(delivery.database()))
        logger.info("%a has %d callbacks tried again.", str(request.user), number)
        text = ngettext("%d callback is due now.", "%d callbacks are due now.", number)
        self.message_user(request, text % number, messages.SUCCESS)
        if left := selected - number:
            one = (
                "%d callback was left: it is delivered, is being called just now, or its visitor"
                " was erased."
            )
            many = (
                "%d callbacks were left: they are delivered, are being called just now, or their"
                " visitors were erased."
            )
            self.message_user(request, ngettext(one, many, left) % left, messages.INFO)

    # the columns

    @admin.display(description=_("partner"))
    def partner(self, callback: Callback) -> str:
        return linked(self.admin_site, callback.visitor.partner)

    @admin.display(description=_("due"))
    def due(self, callback: Callback) -> Any:
        return callback.due_at if callback.state == Callback.State.PENDING else None

    @admin.display(description=_("last attempt"))
    def reason(self, callback: Callback) -> str:
        return getattr(callback, "last_error", "")
