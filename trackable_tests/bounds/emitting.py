"""What tests of the journal's bounds emit, what fails, and what they find in a folder."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path
from typing import Any

from trackable import counting
from trackable.batches import DAMAGED
from trackable.journal import lines, segments, writer
from trackable.journal.segments import FOLDED, SEALED, SHIPPED

LABEL = "testapp.PageTotals"
LINE = lines.encode(LABEL, "testapp.Page", "1", "", "views", 1)


def emit(times: int = 1) -> int:
    """Emit past all that looks at objects; return the number of acknowledged increments."""
    return sum(writer.current().append(LABEL, LINE) for _ in range(times))


def found_in(directory: Path) -> Counter[str]:
    """Count the increments, tallies and damaged lines of what no process writes any more."""
    writer.close()
    segments.adopt(directory)
    assert segments.listing(directory, segments.OPEN) == []
    found: Counter[str] = Counter()
    for segment in segments.listing(directory, SEALED, SHIPPED, FOLDED):
        for batch in counting.of_segment(segment):
            found["hits"] += batch.hits
            found["dropped"] += batch.dropped
            found["damaged"] += batch.damaged
            assert batch.data_class in (LABEL, DAMAGED)
    return found


def no_space(*_: Any, **__: Any) -> Any:
    """Stand for a call that a full disk refuses."""
    raise OSError(errno.ENOSPC, "No space left on device")
