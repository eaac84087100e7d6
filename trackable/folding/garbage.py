"""Garbage: keeps Python from looking for cycles among what a fold is about to let go by itself."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Put the collector of cycles off until the end.

    A fold makes some ten objects for a row, none of them in a cycle; to look through them, and
    through all of the process with them, again and again takes as long as the fold itself.
    """
    global _is_paused
    was_enabled = gc.isenabled()
    gc.disable()
    _is_paused |= was_enabled
    try:
        yield
    finally:
        if was_enabled:
            _is_paused = False
            gc.enable()


def _after_fork() -> None:
    """Enable it in a child whose parent has paused it in another thread."""
    if _is_paused:
        gc.enable()


_is_paused = False
os.register_at_fork(after_in_child=_after_fork)
