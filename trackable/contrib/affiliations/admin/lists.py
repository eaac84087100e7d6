"""Lists of long tables: no more is read, counted or shown of one than its first rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from trackable.admin.paging import BoundedPaginator
from trackable.admin.readonly import ReadOnlyAdmin

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

KEY: Final = re.compile(r"\d{1,18}", re.ASCII)


class AttachingChangeList(ChangeList):
    """Has its admin look up, for a page of rows at once, what their columns show."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.model_admin.attach(self.result_list)  # type: ignore[attr-defined]


class SecretKeepingAdmin(ModelAdmin):
    """Lets no list be filtered by a partner's secret: it could be guessed letter by letter."""

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        is_secret = "secret" in lookup.split(LOOKUP_SEP)
        return not is_secret and super().lookup_allowed(lookup, value, request)


class LongListAdmin(SecretKeepingAdmin, ReadOnlyAdmin):
    """Shows rows that are written by the site alone, newest first."""

    paginator = BoundedPaginator
    list_filter: ClassVar[Any] = []
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ["trackable_affiliations/admin.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[AttachingChangeList]:
        return AttachingChangeList

    def attach(self, rows: Any) -> None:
        """Put into the rows of a page what its columns show."""


def key_of(text: str) -> int | None:
    """Return the number that a text is, ``None`` if it is none that a key can be."""
    return int(text) if KEY.fullmatch(text) else None


def linked(site: admin.AdminSite, obj: Model) -> str:
    """Return the text of an object as a link to its page."""
    opts = obj._meta
    name = f"admin:{opts.app_label}_{opts.model_name}_change"
    url = reverse(name, args=[quote(obj.pk)], current_app=site.name)
    return format_html('<a href="{}">{}</a>', url, obj)
