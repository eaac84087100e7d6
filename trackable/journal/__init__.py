"""The journal: append-only local files in which every increment waits until it is counted."""

from trackable.journal.segments import Segment

__all__ = ["Segment"]
