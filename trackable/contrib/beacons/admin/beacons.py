"""The admin pages of beacons: by target, source, entity and day; never edited."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable.contrib.beacons.admin import relations
from trackable.contrib.beacons.admin.base import KEY, VisitAdmin
from trackable.contrib.beacons.admin.filters import DayFilter, ObjectFilter
from trackable.contrib.beacons.admin.relations import Related
from trackable.contrib.beacons.models import Beacon


class BeaconDayFilter(DayFilter):
    time_name = "time_created"


class TargetFilter(ObjectFilter):
    title = _("target")
    relation = "target"


class SourceFilter(ObjectFilter):
    title = _("source")
    relation = "source"


class EntityFilter(ObjectFilter):
    title = _("entity")
    relation = "entity"


@admin.register(Beacon)
class BeaconAdmin(VisitAdmin):
    """Shows who came from where, and went where to."""

    list_display = ["time_created", "shown_target", "shown_source", "shown_entity"]
    list_filter = [BeaconDayFilter, TargetFilter, SourceFilter, EntityFilter]
    ordering = ["-time_created", "-pk"]
    sortable_by = ["time_created"]
    fields = ["id", "time_created", "shown_target", "shown_source", "shown_entity"]
    search_fields = ["pk"]
    search_help_text = _("Search for the id of a beacon.")

    def matching(self, search_term: str) -> Q:
        term = search_term.strip()
        return Q(pk=int(term)) if KEY.fullmatch(term) else Q(pk__in=[])

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        beacon = super().get_object(request, object_id, from_field)
        if beacon is not None:
            self._attach(request, [beacon], gettext("all beacons of it"))
        return beacon

    def attach(self, request: HttpRequest, rows: Any) -> None:
        self._attach(request, rows, gettext("only"))

    def _attach(self, request: HttpRequest, rows: Any, only: str) -> None:
        """Put into each beacon what it refers to, with a query for each model."""
        found = relations.find(rows)
        for row in rows:
            row._shown = {
                name: self._shown(request, name, relations.of(row, name, found), only)
                for name in relations.NAMES
            }

    def _shown(self, request: HttpRequest, name: str, related: Related | None, only: str) -> str:
        """Return a relation as it is shown: its text, and a link to the beacons of it."""
        if related is None:
            return str(self.get_empty_value_display())
        text = relations.link(self, request, related)
        if related.label == relations.UNKNOWN:
            return text
        return format_html(
            '{} <a class="trackable-only" href="{}" title="{}">{}</a>',
            text,
            beacons_url(self.admin_site.name, name, related.label, related.key),
            gettext("Only the beacons of it"),
            only,
        )

    @admin.display(description=_("target"))
    def shown_target(self, beacon: Any) -> str:
        return str(beacon._shown["target"])

    @admin.display(description=_("source"))
    def shown_source(self, beacon: Any) -> str:
        return str(beacon._shown["source"])

    @admin.display(description=_("entity"))
    def shown_entity(self, beacon: Any) -> str:
        return str(beacon._shown["entity"])


def beacons_url(site_name: str, relation: str, label: str, key: str) -> str:
    """Return the address of the list of an object's beacons."""
    url = reverse("admin:trackable_beacons_beacon_changelist", current_app=site_name)
    return f"{url}?{urlencode({relation: label, f'{relation}_id': key})}"
