"""Writing: beacons become rows, many at a time, in the transaction of a fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from trackable.contrib.beacons import arrivals, entities
from trackable.contrib.beacons.arrivals import Arrival
from trackable.contrib.beacons.models import Beacon
from trackable.folding import garbage

ROWS_PER_STATEMENT: Final = 500


@garbage.paused()
def write(alias: str, beacon_cls: type[Beacon], found: Sequence[dict[str, Any]]) -> None:
    """Write what travelled as beacons: all, or raise. Must run in a transaction."""
    read = [arrivals.read(values) for values in found]
    keys = entities.record(alias, [each.entity for each in read if each.entity is not None])
    types = ContentTypes(alias)
    rows = [beacon_cls(**_fields(each, types, keys)) for each in read]
    beacon_cls._base_manager.using(alias).bulk_create(rows, batch_size=ROWS_PER_STATEMENT)


def _fields(arrival: Arrival, types: ContentTypes, keys: Iterator[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"time_created": arrival.at}
    for name, reference in (("target", arrival.target), ("source", arrival.source)):
        if reference is not None:
            fields[f"{name}_type_id"] = types.id_of(reference.model)
            fields[f"{name}_id"] = reference.key
    if arrival.entity is not None:
        fields["entity_type_id"] = types.id_of(arrival.entity.model)
        fields["entity_id"] = next(keys)
    return fields


class ContentTypes:
    """The ids of models, as a database has them now, asked for once each.

    Not from Django's cache: that keeps ids of rows which a rollback or a restore removed.
    """

    def __init__(self, alias: str) -> None:
        self._manager = ContentType.objects.db_manager(alias)
        self._ids: dict[type[Model], int] = {}

    def id_of(self, model: type[Model]) -> int:
        if model not in self._ids:
            meta = (model._meta.concrete_model or model)._meta
            content_type, _ = self._manager.get_or_create(
                app_label=meta.app_label, model=meta.model_name
            )
            self._ids[model] = content_type.pk
        return self._ids[model]
