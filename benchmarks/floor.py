"""The floor: the same by hand for this one case, without Django, checks, checksums or a ledger.

A line has what a row needs, and no more. It is encoded, appended, counted with its like, and
added to its row by one statement.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

UPSERT: Final = """
INSERT INTO site_pagedata (content_type_id, object_id, collected_during, views)
SELECT %s, u.* FROM UNNEST(%s::bigint[], %s::date[], %s::bigint[]) AS u
ON CONFLICT (content_type_id, object_id, collected_during)
DO UPDATE SET views = site_pagedata.views + EXCLUDED.views
"""


def line(object_id: int) -> bytes:
    """Encode an increment of now."""
    day = time.time() // 86_400
    return b"PageData\t%d\t%d\tviews\t1\n" % (object_id, day)


def appender(path: Path) -> Callable[[int], None]:
    """Return what encodes a line and appends it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(object_id: int) -> None:
        os.write(fd, line(object_id))

    return append


def count(paths: Iterable[Path]) -> Counter[bytes]:
    """Count the lines that are alike."""
    counted: Counter[bytes] = Counter()
    for path in paths:
        with path.open("rb") as file:
            counted.update(file)
    return counted


def upsert(connection: Any, content_type: int, counted: Mapping[bytes, int]) -> None:
    """Add up what was counted, and add it to the rows of PostgreSQL in the order of their keys."""
    totals: Counter[tuple[int, int]] = Counter()
    for each, number in counted.items():
        _, object_id, day, _, amount = each.split(b"\t")
        totals[int(object_id), int(day)] += int(amount) * number
    keys = sorted(totals)
    days = {day: datetime.fromtimestamp(day * 86_400, UTC).date() for _, day in keys}
    columns = [[key for key, _ in keys], [days[day] for _, day in keys], [totals[k] for k in keys]]
    connection.execute(UPSERT, [content_type, *columns])
    connection.commit()
