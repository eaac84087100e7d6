"""What tests of beacons share: what travels of a visit, and how it is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Model

from trackable import records
from trackable.batches import Entry
from trackable.contrib.beacons.models import IP, Beacon, IPEntity

BEACON = Beacon._meta.label
ENTITY = IPEntity._meta.label
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def visit(
    target: Model | None = None,
    *,
    source: Model | None = None,
    entity: list[Any] | None = None,
    at: datetime = AT,
) -> dict[str, Any]:
    """Return what travels of a beacon."""
    values: dict[str, Any] = {"at": at.isoformat()}
    for name, obj in (("target", target), ("source", source)):
        if obj is not None:
            values[name] = [obj._meta.label, str(obj.pk)]
    return {**values, "entity": entity} if entity is not None else values


def ip_entity(address: str | None = "192.0.2.0", key: Any = None) -> list[Any]:
    """Return what travels of an IP entity."""
    return [ENTITY, None if key is None else str(key), {"address": address}]


def visit_of(number: int) -> dict[str, Any]:
    """Return what travels of a numbered visitor, from one of a few addresses."""
    values = visit(entity=ip_entity(address_of(number)))
    return {**values, "target": ["campaigns.Campaign", str(number)]}


def address_of(number: int) -> str:
    return f"10.{number % 7}.0.0"


def write(*found: dict[str, Any], alias: str = "default") -> list[Beacon]:
    """Write beacons as a fold does; return all that there are."""
    with transaction.atomic(using=alias):
        Beacon.write_records(alias, found)
    return list(Beacon.objects.using(alias).order_by("pk"))


def record(values: dict[str, Any]) -> Entry:
    """Return a beacon as it is in a batch."""
    _, *counter, amount = records.cells_of(BEACON, values)
    return Entry(*counter, amount, 1)  # type: ignore[misc]


def addresses(entity: IPEntity | None = None) -> list[str]:
    """Return the addresses that there are, or those of an entity."""
    rows = IP.objects.all() if entity is None else entity.ip_addresses.all()
    return sorted(rows.values_list("address", flat=True))
