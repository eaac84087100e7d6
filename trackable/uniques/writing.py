"""Writing: puts who was seen into the sketches of rows that an upsert has inserted or locked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.db import DataError
from django.db.models import QuerySet

from trackable.folding.chunks import chunked
from trackable.folding.upsert import Target
from trackable.uniques import sketches
from trackable.uniques.fields import stored, uniques_of

if TYPE_CHECKING:
    from trackable.folding.rows import Row
    from trackable.models import TrackableData

#: Few enough for the parameters of one statement in every database.
LOOKUP_SIZE: Final = 500
#: Of one statement: a sketch has up to 8 kB.
UPDATES_AT_ONCE: Final = 100

#: The values of a row's key fields.
Key = tuple[Any, ...]
#: A row's primary key, and its sketches in the order of the fields.
Stored = tuple[Any, ...]


def add(alias: str, data_cls: type[TrackableData], rows: Iterable[Row]) -> None:
    """Put the hashes of rows into their sketches, all or, with an error, none of them.

    Must run in a transaction that holds the rows, each of them once. Raises ``BadSketch`` for a
    column that has something else in it, ``MissingLibrary``, and what Django's backend raises.
    """
    if not uniques_of(data_cls):
        return
    target = Target.of(alias, data_cls)
    for chunk in chunked((row for row in rows if row.seen), LOOKUP_SIZE):
        found = _find(target, chunk)
        _update(target, [(row, found[row.key]) for row in chunk if row.key in found])
        for row in chunk:
            if row.key not in found:
                # The database takes two keys for one that Python does not, as "A" and "a".
                _update(target, [(row, _find_one(target, row))])


def _find(target: Target, rows: Sequence[Row]) -> dict[Key, Stored]:
    """Return what is stored by key: nothing but these rows, which are locked already."""
    owner = 0 if target.data_cls.parent_target() else 1
    groups: dict[Key, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.key[:owner] + row.key[owner + 1 :]].append(row.key[owner])
    names = [field.attname for field in target.key]
    others = names[:owner] + names[owner + 1 :]
    found: dict[Key, Stored] = {}
    for shared, owners in groups.items():
        where = {f"{names[owner]}__in": owners, **dict(zip(others, shared, strict=True))}
        query = _manager(target).filter(**where).order_by(*names)
        for values in _locked(target, query, *names):
            found[values[: len(names)]] = values[len(names) :]
    return found


def _find_one(target: Target, row: Row) -> Stored:
    for values in _locked(target, target.rows(target.connection.alias, row.key)):
        return values
    raise DataError("there is no row of its key once it is written")


def _locked(target: Target, query: QuerySet[Any], *names: str) -> Iterable[tuple[Any, ...]]:
    """Return values of rows as they are: a plain read may show MySQL's older ones."""
    columns = [stored(name) for name in uniques_of(target.data_cls)]
    return query.select_for_update().values_list(*names, "pk", *columns)


def _update(target: Target, pairs: Sequence[tuple[Row, Stored]]) -> None:
    data_cls: Any = target.data_cls
    names = list(uniques_of(data_cls))
    keys = [field.attname for field in target.key]
    changed = []
    for row, (pk, *found) in pairs:
        before = [bytes(sketch) for sketch in found]
        after = [
            sketches.add(sketch, row.seen[name]) if name in row.seen else sketch
            for name, sketch in zip(names, before, strict=True)
        ]
        if after != before:
            values = zip([*keys, *names], [*row.key, *after], strict=True)
            changed.append(data_cls(pk=pk, **dict(values)))
    _write(target, names, changed)


def _write(target: Target, names: Sequence[str], changed: Sequence[Any]) -> None:
    """Assign the sketches. An update of many rows takes Django five times as long."""
    features = target.connection.features
    manager = _manager(target)
    if not features.supports_update_conflicts:
        manager.bulk_update(changed, names, batch_size=UPDATES_AT_ONCE)
        return
    has_target = features.supports_update_conflicts_with_target
    manager.bulk_create(
        changed,
        batch_size=UPDATES_AT_ONCE,
        update_conflicts=True,
        update_fields=names,
        unique_fields=target.data_cls.key_fields() if has_target else None,
    )


def _manager(target: Target) -> Any:
    return target.data_cls._base_manager.using(target.connection.alias)
