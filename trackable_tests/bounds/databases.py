"""What tests of the bounds ask of a database itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import connection

TOTALS = "testapp.PageTotals"
PARENTS = "testapp.PageParentTotals"

committing = pytest.mark.django_db(transaction=True)
servers = pytest.mark.vendor("postgresql", "mariadb")

#: InnoDB makes its list of transactions anew only if nobody read it for 0.1 s
#: (CACHE_MIN_IDLE_TIME_US in its trx0i_s.cc): who asks more often is told the same for ever.
BLOCKED_POLL_SECONDS = 0.3

Attempts = list[int]
Elsewhere = Callable[..., "Future[Any]"]


def execute(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone() if cursor.description else None


def blocked() -> int:
    """Return how many connections to this database wait for a lock that another one holds."""
    if connection.vendor == "postgresql":
        execute("SELECT pg_stat_clear_snapshot()")
        sql = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    else:
        sql = (
            "SELECT count(*) FROM information_schema.innodb_trx t"
            " JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id"
            " WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
        )
    return int(execute(sql)[0])
