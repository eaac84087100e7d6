"""The admin pages of visitors: whom a partner sent, when, and whether that led to anything."""

from __future__ import annotations

import logging
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from trackable.contrib.affiliations.admin.lists import LongListAdmin, key_of, linked
from trackable.contrib.affiliations.models import Visitor

logger = logging.getLogger(__name__)

MAX_ENTRY_POINT_LENGTH: Final = 60


class SuccessFilter(admin.SimpleListFilter):
    """By whether it led to anything."""

    title = _("success")
    parameter_name = "success"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "yes":
                return queryset.filter(successful_on__isnull=False)
            case "no":
                return queryset.filter(successful_on=None)
        return queryset


@admin.register(Visitor)
class VisitorAdmin(LongListAdmin):
    """Shows visitors, whom a partner's link makes; erasing takes from them what is personal.

    None can be deleted: the partner's totals, and the calls that it got, tell of them.
    """

    list_display = [
        *("referred_on", "number", "sent_by", "successful_on", "user", "short_entry_point"),
    ]
    list_display_links = ["referred_on"]
    list_filter = ["referred_on", SuccessFilter]
    list_select_related = ["partner", "user"]
    sortable_by = ["referred_on"]
    ordering = ["-referred_on", "-id"]
    search_fields = ["id"]
    search_help_text = _("Search for the number of a visitor, or for the uid of a partner.")
    fields = ["sent_by", "user", "referred_on", "entry_point", "successful_on", "erased_on"]
    actions = ["erase_selected"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return super().has_delete_permission(request)

    def matching(self, search_term: str) -> Q:
        text = search_term.strip()
        number = key_of(text)
        return Q(partner__uid=text) | (Q() if number is None else Q(pk=number))

    @admin.action(description=_("Erase the selected visitors"), permissions=["erase"])
    def erase_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Erase what is personal; asks first, because nothing brings it back."""
        if "sure" not in request.POST:
            return self._ask(request, queryset.count())
        from trackable.contrib.affiliations.erasure import erase_visitor

        number = sum(erase_visitor(pk).visitors for pk in queryset.values_list("pk", flat=True))
        logger.info("%a has erased %d visitors.", str(request.user), number)
        text = ngettext("%d visitor was erased.", "%d visitors were erased.", number)
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
        template = "admin/trackable_affiliations/visitor/erase.html"
        return TemplateResponse(request, template, context)

    # the columns

    @admin.display(description=_("number"))
    def number(self, visitor: Visitor) -> str:
        return str(visitor.pk)

    @admin.display(description=_("partner"))
    def sent_by(self, visitor: Visitor) -> str:
        return linked(self.admin_site, visitor.partner)

    @admin.display(description=_("entry point"))
    def short_entry_point(self, visitor: Visitor) -> str:
        return Truncator(visitor.entry_point).chars(MAX_ENTRY_POINT_LENGTH)
