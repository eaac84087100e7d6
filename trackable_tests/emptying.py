"""Empties the databases after tests that commit: the tables that have rows, and no others.

Django's ``flush`` truncates every table and then makes each content type and permission anew,
which takes longer than most of these tests. It still runs after a test that changed those.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

#: what Django fills when it migrates
FILLED = ["auth_permission", "django_content_type"]

_flush = TransactionTestCase._fixture_teardown


class Emptier:
    """Empties one database that was migrated and has no other rows yet."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        known = connection.introspection.django_table_names(only_existing=True, include_views=False)
        quote = connection.ops.quote_name
        self._tables = [quote(name) for name in sorted({*known} - {*FILLED})]
        self._filled = self._contents()

    def empty(self) -> bool:
        """Delete all rows but what Django filled in; if that changed, do nothing and say so."""
        if self._contents() != self._filled:
            return False
        found = self._ask(f"EXISTS (SELECT 1 FROM {table})" for table in self._tables)
        full = [table for table, is_full in zip(self._tables, found, strict=True) if is_full]
        if full:
            self._delete(full)
        return True

    def learn(self) -> None:
        """Take what is there now for what Django filled in."""
        self._filled = self._contents()

    def _contents(self) -> list[int]:
        values = [("COUNT(*)", name) for name in FILLED] + [("MAX(id)", name) for name in FILLED]
        return self._ask(f"(SELECT {value} FROM {name})" for value, name in values)

    def _ask(self, expressions: Iterator[str]) -> list[int]:
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(expressions)}")
            return list(cursor.fetchone())

    def _delete(self, tables: list[str]) -> None:
        with (
            self.connection.constraint_checks_disabled(),
            transaction.atomic(using=self.connection.alias),
            self.connection.cursor() as cursor,
        ):
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")


@contextmanager
def emptied_by(emptiers: dict[str, Emptier]) -> Iterator[None]:
    """Have databases emptied after tests that commit in them, by alias, as long as this lasts."""

    def tear_down(case: TransactionTestCase) -> None:
        used = [emptiers[alias] for alias in case._databases_names(include_mirrors=False)]
        emptied = [emptier.empty() for emptier in used]
        if not all(emptied):
            _flush(case)
            for emptier in used:
                emptier.learn()

    TransactionTestCase._fixture_teardown = tear_down
    try:
        yield
    finally:
        TransactionTestCase._fixture_teardown = _flush
