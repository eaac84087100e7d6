"""Diversions: for a while, what is emitted goes somewhere else than into the journal.

For tests: nothing is written to disk then, no thread starts, and a fold takes what the receiver
has. See ``trackable.testing``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from trackable.broker import Claim


class Receiver(Protocol):
    """Takes what is emitted, and gives it to the fold."""

    def take(self, data_class: str, line: bytes) -> bool:
        """Take a line of a data class, as the journal would; tell whether it is taken."""

    def claims(self, data_classes: Collection[str] | None) -> Iterator[Claim]:
        """Yield what was taken, of these labels or of all, and is not acknowledged yet."""


#: The last one receives.
receivers: Final[list[Receiver]] = []


@contextmanager
def divert(receiver: Receiver) -> Iterator[None]:
    """Have a receiver take everything that this process emits meanwhile."""
    before = list(receivers)
    receivers.append(receiver)
    try:
        yield
    finally:
        receivers[:] = before
