"""The journal: append-only local files in which every increment waits until it is counted."""

from trackable.journal.segments import Segment
from trackable.journal.writer import Writer

__all__ = ["Segment", "Writer"]
