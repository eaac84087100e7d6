"""The upsert: adds deltas to rows, in the words of each database. All SQL of trackable is here.

Rows come in the order of their keys and are locked in it, so folds in parallel do not wait for
each other in a circle. ``bulk_create(update_conflicts=True)`` does not serve: it assigns the
incoming value and cannot add to the stored one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, F, When
from django.db.utils import IntegrityError

from trackable.counters import Amount, counters_of, field_range, is_positive
from trackable.folding import garbage
from trackable.folding.chunks import chunked
from trackable.folding.rows import Row
from trackable.models import TrackableData

Statement = Callable[["Target", Sequence[Row]], None]

ROWS_PER_STATEMENT: Final = 1000
DJANGO_FIELDS: Final = models.IntegerField.__module__


def add(alias: str, data_cls: type[TrackableData], rows: Sequence[Row]) -> None:
    """Add the amounts of the rows to the table, all or, with an error, none of them.

    Must run in a transaction. Raises what Django's backend raises when a value does not fit.
    """
    target = Target.of(alias, data_cls)
    write = STATEMENTS.get(target.vendor, add_portably)
    write(target, rows)
    for row in rows:
        _subtract(alias, target, row)


def _subtract(alias: str, target: Target, row: Row) -> None:
    """Bring positive counters down, to zero at most; no upsert can, for it would insert less."""
    for name, amount in row.amounts.items():
        if amount < 0 and is_positive(target.counters[name]):
            left = Case(When(**{f"{name}__gt": -amount}, then=F(name) - -amount), default=0)
            target.rows(alias, row.key).update(**{name: left})


@dataclass(frozen=True, slots=True)
class Target:
    """The table of a data class in one database."""

    connection: BaseDatabaseWrapper
    data_cls: type[TrackableData]
    key: tuple[models.Field[Any, Any], ...]
    counters: dict[str, models.Field[Any, Any]]
    others: tuple[models.Field[Any, Any], ...]

    @classmethod
    def of(cls, alias: str, data_cls: type[TrackableData]) -> Target:
        meta = data_cls._meta
        key = tuple(meta.get_field(name) for name in data_cls.key_fields())
        counters = dict(counters_of(data_cls))
        others = tuple(f for f in meta.local_concrete_fields if _must_be_given(f, key, counters))
        return cls(connections[alias], data_cls, key, counters, others)  # type: ignore[arg-type]

    @property
    def vendor(self) -> str:
        if self.connection.vendor == "mysql" and self.connection.mysql_is_mariadb:  # type: ignore[attr-defined]
            return "mariadb"
        return self.connection.vendor

    @property
    def fields(self) -> tuple[models.Field[Any, Any], ...]:
        return (*self.key, *self.counters.values(), *self.others)

    @property
    def table(self) -> str:
        return self.quote(self.data_cls._meta.db_table)

    def quote(self, name: str) -> str:
        """Return a name as it stands in a statement with parameters."""
        return self.connection.ops.quote_name(name).replace("%", "%%")

    def column(self, field: models.Field[Any, Any]) -> str:
        return self.quote(str(field.column))

    def columns(self, fields: Sequence[models.Field[Any, Any]]) -> list[str]:
        return [self.column(field) for field in fields]

    def values(self, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """Return the values of ``fields`` for each row, as the database takes them."""
        columns = self.columns_of(rows)
        if self.others:
            columns += zip(*(self.prepared(self.extras()) for _ in rows), strict=True)
        return list(zip(*columns, strict=True))

    @garbage.paused()
    def columns_of(self, rows: Sequence[Row]) -> list[Sequence[Any]]:
        """Return the values of keys and counters in a list for each, as the database takes them."""
        keys = zip(*(row.key for row in rows), strict=True)
        counts = (self.inserted(name, rows) for name in self.counters)
        fields = (*self.key, *self.counters.values())
        return [self._column(f, v) for f, v in zip(fields, chain(keys, counts), strict=True)]

    def _column(self, field: models.Field[Any, Any], values: Sequence[Any]) -> Sequence[Any]:
        """Prepare each value once, which takes long. Integers are taken as they are."""
        if isinstance(field, models.IntegerField) and type(field).__module__ == DJANGO_FIELDS:
            return list(values)
        known = {value: field.get_db_prep_save(value, self.connection) for value in set(values)}
        return [known[value] for value in values]

    def inserted(self, name: str, rows: Sequence[Row]) -> list[Amount]:
        """Return what new rows have in a counter: a positive one does not begin below zero."""
        amounts = [row.amounts.get(name, 0) for row in rows]
        return [max(a, 0) for a in amounts] if is_positive(self.counters[name]) else amounts

    def extras(self) -> list[Any]:
        """Return what ``others`` are given in a new row."""
        fresh: Any = self.data_cls() if self.others else None
        return [field.pre_save(fresh, True) for field in self.others]

    def prepared(self, extras: Sequence[Any]) -> list[Any]:
        """Return the extras as the database takes them."""
        pairs = zip(self.others, extras, strict=True)
        return [field.get_db_prep_save(value, self.connection) for field, value in pairs]

    def rows(self, alias: str, key: Sequence[Any]) -> models.QuerySet[TrackableData]:
        lookup = {field.attname: value for field, value in zip(self.key, key, strict=True)}
        return self.data_cls._base_manager.using(alias).filter(**lookup)

    def insert(self) -> str:
        return f"INSERT INTO {self.table} ({', '.join(self.columns(self.fields))})"


def _must_be_given(field: Any, key: Any, counters: dict[str, Any]) -> bool:
    """Tell whether a column is neither key nor counter and is not filled by the database."""
    return not (
        field in key
        or field.name in counters
        or getattr(field, "generated", False)
        or getattr(field, "db_returning", False)
        or field.has_db_default()
    )


def add_on_postgresql(target: Target, rows: Sequence[Row]) -> None:
    extras = [target.extras() for _ in rows] if target.others else [[]]
    with target.connection.cursor() as cursor:
        if all(extra == extras[0] for extra in extras):
            cursor.execute(*_unnested(target, rows, extras[0]))
        else:
            for chunk in chunked(target.values(rows), ROWS_PER_STATEMENT):
                cursor.execute(*_listed(target, chunk))
    # Now, where the rows at fault can be told, and not at COMMIT. It locks the parents too.
    target.connection.check_constraints()


def _unnested(target: Target, rows: Sequence[Row], extras: Sequence[Any]) -> tuple[str, list[Any]]:
    """One statement whatever the number of rows: a column of keys or counts travels as one array.

    The others, which are the same in all rows, do not: UNNEST takes arrays in them apart.
    """
    types = [str(field.db_type(target.connection)) for field in target.fields]
    size = len(types) - len(target.others)
    arrays = ", ".join(f"%s::{kind}[]" for kind in types[:size])
    constants = "".join(f", %s::{kind}" for kind in types[size:])
    source = f"SELECT u.*{constants} FROM UNNEST({arrays}) AS u"
    return _on_conflict(target, source), [*target.prepared(extras), *target.columns_of(rows)]


def _listed(target: Target, values: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    row = ", ".join(f"%s::{field.db_type(target.connection)}" for field in target.fields)
    source = "VALUES " + ", ".join([f"({row})"] * len(values))
    return _on_conflict(target, source), list(chain.from_iterable(values))


def _on_conflict(target: Target, source: str) -> str:
    key = ", ".join(target.columns(target.key))
    sums = [f"{c} = {target.table}.{c} + EXCLUDED.{c}" for c in _counter_columns(target)]
    sums = sums or [_unchanged(target, "EXCLUDED.{}")]
    return f"{target.insert()} {source} ON CONFLICT ({key}) DO UPDATE SET {', '.join(sums)}"


def add_on_sqlite(target: Target, rows: Sequence[Row]) -> None:
    key = ", ".join(target.columns(target.key))
    sums = [f"{target.column(f)} = {_guarded_sum(target, f)}" for f in target.counters.values()]
    sums = sums or [_unchanged(target, "EXCLUDED.{}")]
    _insert_listed(target, rows, f" ON CONFLICT ({key}) DO UPDATE SET {', '.join(sums)}")


def _guarded_sum(target: Target, field: models.Field[Any, Any]) -> str:
    """Return SQLite's sum of a counter; NULL, which the column refuses, where it would overflow.

    SQLite knows no ranges, turns integers that are too long into floats, and adds decimals as
    floats, so these are rounded to their places each time.
    """
    column = target.column(field)
    total = f"{target.table}.{column} + EXCLUDED.{column}"
    if isinstance(field, models.DecimalField):
        total = f"ROUND({total}, {field.decimal_places})"
        limit = 10 ** (field.max_digits - field.decimal_places)
        return f"CASE WHEN ABS({total}) < {limit} THEN {total} END"
    if isinstance(field, models.IntegerField):
        low, high = field_range(field)
        return f"CASE WHEN {total} BETWEEN {low} AND {high} THEN {total} END"
    return f"CASE WHEN ABS({total}) <= {sys.float_info.max!r} THEN {total} END"


def add_on_mariadb(target: Target, rows: Sequence[Row]) -> None:
    _add_on_duplicate_key(target, rows, "", "{0} = {0} + VALUES({0})", "VALUES({})")


def add_on_mysql(target: Target, rows: Sequence[Row]) -> None:
    addition = "{0} = {1}.{0} + incoming.{0}"
    _add_on_duplicate_key(target, rows, " AS incoming", addition, "incoming.{}")


def _add_on_duplicate_key(
    target: Target, rows: Sequence[Row], name: str, addition: str, incoming: str
) -> None:
    sums = [addition.format(c, target.table) for c in _counter_columns(target)]
    sums = sums or [_unchanged(target, incoming)]
    _insert_listed(target, rows, f"{name} ON DUPLICATE KEY UPDATE {', '.join(sums)}")


def _unchanged(target: Target, incoming: str) -> str:
    """Return what locks a row that is there, and changes nothing: it has only distinct counts."""
    column = target.column(target.key[0])
    return f"{column} = {incoming.format(column)}"


def _insert_listed(target: Target, rows: Sequence[Row], on_conflict: str) -> None:
    width = len(target.fields)
    most = target.connection.features.max_query_params or ROWS_PER_STATEMENT * width
    one_row = f"({', '.join(['%s'] * width)})"
    with target.connection.cursor() as cursor:
        for chunk in chunked(target.values(rows), max(min(most // width, ROWS_PER_STATEMENT), 1)):
            sql = f"{target.insert()} VALUES {', '.join([one_row] * len(chunk))}{on_conflict}"
            cursor.execute(sql, list(chain.from_iterable(chunk)))


def add_portably(target: Target, rows: Sequence[Row]) -> None:
    """For databases without a statement of their own here: one row at a time, through the ORM."""
    for row in rows:
        amounts = {name: target.inserted(name, [row])[0] for name in target.counters}
        stored = target.rows(alias := target.connection.alias, row.key)
        sums = {name: F(name) + amount for name, amount in amounts.items()}
        sums = sums or {target.key[0].attname: row.key[0]}
        if not stored.update(**sums):
            key = {field.attname: value for field, value in zip(target.key, row.key, strict=True)}
            try:
                with transaction.atomic(using=alias):
                    target.data_cls(**key, **amounts).save(using=alias, force_insert=True)
            except IntegrityError:
                # Another fold has inserted it meanwhile; if not, the row itself is unfit.
                if not stored.update(**sums):
                    raise


def _counter_columns(target: Target) -> list[str]:
    return target.columns(list(target.counters.values()))


STATEMENTS: Final[dict[str, Statement]] = {
    "postgresql": add_on_postgresql,
    "sqlite": add_on_sqlite,
    "mariadb": add_on_mariadb,
    "mysql": add_on_mysql,
}
