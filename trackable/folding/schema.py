"""Schemas: whether a table is the one that the code knows, asked when it refuses what comes."""

from __future__ import annotations

from django.db import connections

from trackable.models import TrackableData


def demands_more(alias: str, data_cls: type[TrackableData]) -> bool:
    """Tell whether a new row needs a value for a column that the code does not know of.

    So it is while old code runs on a table that is migrated already: no row is at fault then.
    """
    connection = connections[alias]
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, data_cls._meta.db_table)
    known = {field.column for field in data_cls._meta.local_concrete_fields}
    return any(
        column.name not in known and not column.null_ok and column.default is None
        for column in columns
    )
