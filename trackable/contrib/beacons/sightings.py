"""Sightings: which entities came, when, and from which addresses, written many at a time.

Rows that others may write too are locked in the order of their keys. Whoever purges locks them
as well, so what is found here is there until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from django.db import DatabaseError, connections
from django.db.models import Model, QuerySet

from trackable.addresses import Address
from trackable.contrib.beacons.models import IP, IPEntity
from trackable.folding.chunks import chunked

#: Few enough for the parameters of one statement in every database.
CHUNK_SIZE: Final = 500

Sighting = tuple[Any, Any, datetime]


def record(alias: str, model: type[IPEntity], found: Sequence[Sighting]) -> list[Any]:
    """Note sightings of entities, and return their keys: see ``IPEntity.beacon_record_many``."""
    addresses = [_address_of(snapshot) for _, snapshot, _ in found]
    keys = _entities(alias, model, found)
    latest: dict[Address, datetime] = {}
    for address, (_, _, at) in zip(addresses, found, strict=True):
        if address is not None:
            latest[address] = max(at, latest.get(address, at))
    ids = _addresses(alias, latest)
    pairs = zip(keys, addresses, strict=True)
    _join(alias, {(key, ids[address]) for key, address in pairs if address is not None})
    return keys


def _address_of(snapshot: Any) -> Address | None:
    match snapshot:
        case {"address": None}:
            return None
        case {"address": str(text)}:
            address = ip_address(text)
            return getattr(address, "ipv4_mapped", None) or address
    raise ValueError("its entity's snapshot has no address")


def _entities(alias: str, model: type[IPEntity], found: Sequence[Sighting]) -> list[Any]:
    """Find the entities, make those that are not there, and return the keys of all in order."""
    wanted = {key for key, _, _ in found if key is not None}
    stored = {row.pk: row for row in _locked(alias, model, "pk", sorted(wanted))}
    for key, _, at in found:
        if key in stored:
            stored[key].seen_at = max(at, stored[key].seen_at or at)
    # Of the base class, whose table has the time, also where the model inherits from it.
    _store(alias, [IPEntity(pk=row.pk, seen_at=row.seen_at) for row in stored.values()], "seen_at")
    fresh = iter(_made(alias, [model(seen_at=at) for key, _, at in found if key not in stored]))
    return [key if key in stored else next(fresh) for key, _, _ in found]


def _made(alias: str, rows: list[Any]) -> list[Any]:
    """Insert new entities and return their keys."""
    is_told = connections[alias].features.can_return_rows_from_bulk_insert
    if is_told and rows and not rows[0]._meta.parents:
        type(rows[0])._base_manager.using(alias).bulk_create(rows, batch_size=CHUNK_SIZE)
    else:  # MySQL tells the key of a single row only
        for row in rows:
            row.save(using=alias, force_insert=True)
    return [row.pk for row in rows]


def _addresses(alias: str, latest: dict[Address, datetime]) -> dict[Address, Any]:
    """Find or make the rows of addresses, note when they were last seen; return their keys."""
    stored = _rows_of(alias, latest)
    touched = list(stored.values())
    if missing := sorted(latest.keys() - stored.keys(), key=_order):
        rows = [IP(address=str(address), owned_time=latest[address]) for address in missing]
        # Another transaction may have made one meanwhile: then it is waited for, and locked. To
        # pass over it would lock it for reading, on MySQL, and two who do so could go no further.
        _upsert(alias, rows, "address", key="address")
        made = _rows_of(alias, missing)
        touched += [row for address, row in made.items() if row.owned_time != latest[address]]
        stored |= made
    if lost := latest.keys() - stored.keys():
        raise DatabaseError(f"The database keeps no row for {len(lost)} addresses.")
    for address, row in stored.items():
        row.owned_time = max(latest[address], row.owned_time)
    _store(alias, touched, "owned_time")
    return {address: row.pk for address, row in stored.items()}


def _rows_of(alias: str, addresses: Iterable[Address]) -> dict[Address, IP]:
    texts = [str(address) for address in sorted(addresses, key=_order)]
    # Databases write some addresses in other ways than Python does.
    return {ip_address(row.address): row for row in _locked(alias, IP, "address", texts)}


def _order(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _locked(alias: str, model: type[Model], name: str, values: Sequence[Any]) -> list[Any]:
    """Return the rows with one of these values, locked until the transaction ends."""
    rows: list[Any] = []
    for chunk in chunked(values, CHUNK_SIZE):
        found = model._base_manager.using(alias).filter(**{f"{name}__in": chunk})
        rows += locking(found.order_by(name))
    return rows


def locking(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return a queryset that locks its rows, yet not those who only refer to them."""
    features = connections[rows.db].features
    return rows.select_for_update(no_key=features.has_select_for_no_key_update)


def _store(alias: str, rows: list[Any], name: str) -> None:
    """Write a field of rows that are locked: an upsert that never inserts, being far quicker."""
    if rows:
        _upsert(alias, rows, name, key="pk")


def _upsert(alias: str, rows: list[Any], name: str, *, key: str) -> None:
    is_named = connections[alias].features.supports_update_conflicts_with_target
    type(rows[0])._base_manager.using(alias).bulk_create(
        rows,
        batch_size=CHUNK_SIZE,
        update_conflicts=True,
        update_fields=[name],
        unique_fields=[key] if is_named else None,
    )


def _join(alias: str, pairs: set[tuple[Any, Any]]) -> None:
    through: Any = IPEntity.ip_addresses.through
    rows = [through(ipentity_id=entity, ip_id=ip) for entity, ip in sorted(pairs)]
    manager = through._base_manager.using(alias)
    manager.bulk_create(rows, ignore_conflicts=True, batch_size=CHUNK_SIZE)
