"""Selections: which hits of a log are counted."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from trackable.accesslog.lines import Hit
from trackable.accesslog.patterns import Pattern, as_logged, path_of
from trackable.exceptions import TrackableError
from trackable.lookups import Values, values_of


class BadSelection(TrackableError):  # noqa: N818
    """There is no such status code: write 200, or 2xx for all of a kind."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which hits are counted, and on what; ``None`` selects all."""

    pattern: Pattern
    statuses: Container[bytes | None] | None = None
    methods: Container[bytes | None] | None = None
    #: match the target as it was logged, not the decoded path alone
    keep_query: bool = False

    def takes(self, hit: Hit) -> bool:
        """Tell whether a hit's status and method are wanted."""
        return (self.statuses is None or hit.status in self.statuses) and (
            self.methods is None or hit.method in self.methods
        )

    def key(self, target: bytes) -> bytes:
        """Return the part of a target that tells its object."""
        return target if self.keep_query else target.partition(b"?")[0]

    def captured(self, key: bytes) -> Values | None:
        """Return what the object of a key is looked up by; ``None`` if it does not match."""
        found = self.pattern.match(as_logged(key) if self.keep_query else path_of(key))
        return None if found is None else values_of(found)


def statuses(text: str | None) -> frozenset[bytes] | None:
    """Return the status codes of ``200,3xx``; ``None`` stands for all. Raises ``BadSelection``."""
    if text is None:
        return None
    found: set[bytes] = set()
    for part in (part.strip().lower() for part in text.split(",")):
        if not re.fullmatch(r"\d(\d\d|xx)", part, re.ASCII):
            raise BadSelection(f"{part!r} is no status code: write 200, or 2xx for all of a kind.")
        ends = [part[1:]] if part.isdigit() else [f"{number:02}" for number in range(100)]
        found.update((part[0] + end).encode() for end in ends)
    return frozenset(found)


def methods(text: str | None) -> frozenset[bytes] | None:
    """Return the methods of ``GET,HEAD``; ``None`` stands for all."""
    if text is None:
        return None
    return frozenset(part.strip().upper().encode() for part in text.split(","))
