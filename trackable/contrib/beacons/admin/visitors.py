"""The admin pages of IP entities, and of their addresses."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable.contrib.beacons.admin.base import KEY, VisitAdmin
from trackable.contrib.beacons.admin.beacons import beacons_url
from trackable.contrib.beacons.admin.filters import DayFilter, FormFilter
from trackable.contrib.beacons.models import IP, IPEntity

#: of addresses in a row of a list, and of those on a page
FEW: Final = 3
MANY: Final = 100


class EntityDayFilter(DayFilter):
    time_name = "seen_at"


class AddressDayFilter(DayFilter):
    time_name = "owned_time"


class OwnerFilter(FormFilter):
    """By the entity that came from the addresses."""

    title = _("IP entity")
    template = "admin/trackable_beacons/owner_filter.html"

    def expected_parameters(self) -> list[Any]:
        return ["entity"]

    @property
    def key(self) -> str:
        return self.value("entity")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.key:
            return queryset
        known = KEY.fullmatch(self.key)
        return queryset.filter(entities=int(self.key)) if known else queryset.none()


@admin.register(IPEntity)
class IPEntityAdmin(VisitAdmin):
    """Shows who came, by what is known of them: the addresses that they came from."""

    list_display = ["__str__", "seen_at", "latest_addresses"]
    list_filter = [EntityDayFilter]
    sortable_by = ["seen_at"]
    fields = ["seen_at", "shown_addresses", "shown_beacons"]
    search_fields = ["pk"]
    search_help_text = _("Search for the id of an entity, or for an address.")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Return the newest first; by days, by the index that finds these."""
        is_by_day = {"from", "to"} & request.GET.keys()
        return ["-seen_at", "-pk"] if is_by_day else ["-pk"]

    def matching(self, search_term: str) -> Q:
        term = search_term.strip()
        if KEY.fullmatch(term):
            return Q(pk=int(term))
        address = _address_of(term)
        return Q(ip_addresses__address=address) if address else Q(pk__in=[])

    def attach(self, request: HttpRequest, rows: Any) -> None:
        latest = IP._base_manager.order_by("-owned_time", "-pk")[: FEW + 1]
        prefetch_related_objects(
            list(rows), Prefetch("ip_addresses", queryset=latest, to_attr="_latest")
        )

    @admin.display(description=_("addresses"))
    def latest_addresses(self, entity: Any) -> str:
        texts = [address.address for address in entity._latest[:FEW]]
        more = ["…"] if len(entity._latest) > FEW else []
        return ", ".join([*texts, *more]) or str(self.get_empty_value_display())

    @admin.display(description=_("addresses"))
    def shown_addresses(self, entity: IPEntity) -> str:
        rows = entity.ip_addresses.order_by("-owned_time", "-pk")[: MANY + 1]
        url = f"{_url('ip_changelist', self)}?entity={entity.pk}"
        return _listed(self, rows, "ip_change", url) or str(self.get_empty_value_display())

    @admin.display(description=_("beacons"))
    def shown_beacons(self, entity: IPEntity) -> str:
        url = beacons_url(self.admin_site.name, "entity", entity._meta.label_lower, str(entity.pk))
        return format_html('<a href="{}">{}</a>', url, gettext("Beacons of this entity"))


@admin.register(IP)
class IPAdmin(VisitAdmin):
    """Shows the addresses that IP entities came from."""

    list_display = ["address", "owned_time"]
    list_filter = [AddressDayFilter, OwnerFilter]
    ordering = ["-owned_time", "-pk"]
    sortable_by = ["address", "owned_time"]
    fields = ["address", "owned_time", "shown_entities"]
    search_fields = ["address"]
    search_help_text = _("Search for an address.")

    def matching(self, search_term: str) -> Q:
        address = _address_of(search_term.strip())
        return Q(address=address) if address else Q(pk__in=[])

    @admin.display(description=_("IP entities"))
    def shown_entities(self, ip: IP) -> str:
        rows = ip.entities.order_by("-pk")[: MANY + 1]
        url = f"{_url('ipentity_changelist', self)}?{urlencode({'q': ip.address})}"
        return _listed(self, rows, "ipentity_change", url) or str(self.get_empty_value_display())

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the addresses out of the admin's log: what is deleted shall not be left there."""
        nameless = [IP(pk=row.pk, address=f"#{row.pk}") for row in queryset]
        return super().log_deletions(request, nameless)  # type: ignore[arg-type]


def _address_of(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _url(name: str, model_admin: VisitAdmin, *args: Any) -> str:
    current_app = model_admin.admin_site.name
    return reverse(f"admin:trackable_beacons_{name}", args=args, current_app=current_app)


def _listed(model_admin: VisitAdmin, rows: Iterable[Any], name: str, all_url: str) -> SafeString:
    """Return links to rows, and where there are more than ``MANY`` one to the list of them."""
    found = list(rows)
    links = [
        format_html('<a href="{}">{}</a>', _url(name, model_admin, row.pk), row)
        for row in found[:MANY]
    ]
    if len(found) > MANY:
        links.append(format_html('<a href="{}">{}</a>', all_url, gettext("all of them")))
    return format_html_join(", ", "{}", ([each] for each in links))
