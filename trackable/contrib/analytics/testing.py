"""For users' own tests: hits go to a list, as mail goes to ``mail.outbox``.

Without it, hits of a test go nowhere, except to services on the machine itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trackable.contrib.analytics import sending
from trackable.contrib.analytics.hits import Hit

__all__ = ["capture"]


@contextmanager
def capture() -> Iterator[list[Hit]]:
    """Return what is sent meanwhile in this process, in order."""
    before = list(sending.receivers)
    hits: list[Hit] = []
    sending.receivers.append(hits)
    try:
        yield hits
    finally:
        sending.receivers[:] = before
