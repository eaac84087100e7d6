"""Unions: the distinct counts of several rows, in the sketch of the one that takes them up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db.models.expressions import ExpressionWrapper

from trackable.rollups.table import Table
from trackable.uniques.fields import stored, uniques_of

#: Of one statement: a sketch has up to 8 kB.
UPDATES_AT_ONCE: Final = 100

#: By the names of ``columns``.
Sketches = dict[str, bytes]


def columns(table: Table) -> dict[str, ExpressionWrapper[Any]]:
    """Return what a query reads the sketches of rows by, under names of their own."""
    return {f"sketch_of_{name}": stored(name) for name in uniques_of(table.data_cls)}


def united(names: Iterable[str], rows: Sequence[dict[str, Any]]) -> Sketches:
    """Return the union of what rows have. Raises ``BadSketch`` and ``MissingLibrary``."""
    from trackable.uniques import sketches

    return {name: sketches.merge(bytes(row[name]) for row in rows) for name in names}


def write(table: Table, found: Iterable[tuple[Any, Sketches]]) -> None:
    """Write sketches to rows, which come with their primary keys and are locked."""
    names = list(uniques_of(table.data_cls))
    data_cls: Any = table.data_cls
    changed = [
        data_cls(pk=pk, **dict(zip(names, sketches.values(), strict=True)))
        for pk, sketches in found
    ]
    rows = data_cls._base_manager.using(table.alias)
    rows.bulk_update(changed, names, batch_size=UPDATES_AT_ONCE)
