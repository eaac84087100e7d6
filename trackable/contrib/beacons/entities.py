"""Entities: who came, as a request tells it, and as a fold finds or makes it.

An entity's model may have

- ``beacon_snapshot(request)``, static or of the class, which runs no SQL and returns what JSON
  can hold; then the fold calls ``beacon_record(snapshot)`` on the entity, which may ask the
  database. ``beacon_record_many(alias, found)``, of the class, does that for many at once:
  ``found`` has the key or ``None``, the snapshot and the time of each; it returns their keys.
- or else ``beacon_update(request)``, which needs the request, so that the visitor waits for it.

With neither, an entity is found or made by the fold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, router, transaction
from django.db.models import Model

from trackable.contrib.beacons import arrivals
from trackable.contrib.beacons.arrivals import Visit

if TYPE_CHECKING:
    from django.http import HttpRequest


def capture(request: HttpRequest, entity_type: type[Model], entity_id: Any = None) -> list[Any]:
    """Return what travels of the entity that a request is of: label, key and snapshot.

    The entity of that id if there is one, else a new one, with an id of its own where the
    database makes these. Raises ``ValueError`` for an id that the model could not have where it
    does not, and what the methods of the model raise.
    """
    text = None if entity_id is None else str(entity_id)
    key = arrivals.entity_key_of(entity_type, text)
    snapshot = None
    if hasattr(entity_type, "beacon_snapshot"):
        snapshot = entity_type.beacon_snapshot(request)
    elif hasattr(entity_type, "beacon_update"):
        key = _update(request, entity_type, key)
    travelling = None if key is None else arrivals.text_of(key)
    return [entity_type._meta.label, travelling, snapshot]


def _update(request: HttpRequest, model: type[Model], key: Any) -> Any:
    """Find or make the entity now, have it look at the request, and return its key."""
    alias = router.db_for_write(model)
    try:
        return _update_once(alias, request, model, key)
    except IntegrityError:
        if key is None:
            raise
        # Another request has made it meanwhile.
        return _update_once(alias, request, model, key)


def _update_once(alias: str, request: HttpRequest, model: type[Model], key: Any) -> Any:
    with transaction.atomic(using=alias):
        entity: Any = _locked(alias, model, key) or model(**_new_key(model, key))
        entity.beacon_update(request)
        # Not as an update of what another request has written since this one looked.
        entity.save(using=alias, force_insert=entity._state.adding)
    return entity.pk


def _locked(alias: str, model: type[Model], key: Any) -> Model | None:
    if key is None:
        return None
    # Locked, so that of two requests at once neither undoes what the other has noted.
    return model._base_manager.using(alias).select_for_update().filter(pk=key).first()


def _new_key(model: type[Model], key: Any) -> dict[str, Any]:
    """Return the key that a new entity is given: none where the database makes these.

    Who visits must not choose numbers of a sequence, which would come to them later.
    """
    return {} if key is None or arrivals.is_automatic(model) else {"pk": key}


def record(alias: str, visits: Sequence[Visit]) -> Iterator[str]:
    """Find or make the entities of some visits, and return their keys, in order.

    Must run in a transaction on ``alias``. A model that the routers send elsewhere is written
    there, in a transaction of its own that is committed first: if the other one is then rolled
    back and done again, entities that it has made are left behind, and made again.
    """
    places: dict[type[Model], list[int]] = defaultdict(list)
    for place, visit in enumerate(visits):
        places[visit.model].append(place)
    keys = [""] * len(visits)
    for model, at in places.items():
        home = router.db_for_write(model)
        with transaction.atomic(using=home, savepoint=home != alias):
            found = _record_of(home, model, [visits[place] for place in at])
        for place, key in zip(at, found, strict=True):
            keys[place] = arrivals.text_of(key)
    return iter(keys)


def _record_of(alias: str, model: Any, visits: Sequence[Visit]) -> list[Any]:
    if hasattr(model, "beacon_record_many"):
        found = [(visit.key, visit.snapshot, visit.at) for visit in visits]
        return list(model.beacon_record_many(alias, found))
    return [_record_one(alias, visit) for visit in visits]


def _record_one(alias: str, visit: Visit) -> Any:
    """Find or make one entity, through its own ``save``, and have it note what was seen."""
    manager = visit.model._base_manager.using(alias)
    entity: Any = None
    if visit.key is not None:
        entity = manager.select_for_update().filter(pk=visit.key).first()
    if entity is None and (key := _new_key(visit.model, visit.key)):
        entity, _ = manager.get_or_create(**key)
    elif entity is None:
        entity = manager.create()
    if hasattr(entity, "beacon_snapshot"):
        entity.beacon_record(visit.snapshot)
    return entity.pk
