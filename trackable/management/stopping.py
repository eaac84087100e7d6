"""Stopping: SIGINT and SIGTERM ask a command to end once what it has at hand is done."""

from __future__ import annotations

import os
import select
import signal
import threading
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """In its ``with`` block a first signal sets ``requested``; a second one works as ever.

    Does nothing in a thread other than the main one, which gets no signals.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[signal.Signals, Any] = {}
        self._reader = self._writer = -1

    def __enter__(self) -> Stop:
        # A pipe, because an Event must not be set in a handler: its lock may be held below it.
        self._reader, self._writer = os.pipe()
        if threading.current_thread() is threading.main_thread():
            self._previous = {each: signal.signal(each, self._ask) for each in SIGNALS}
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._restore()
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> None:
        """Pause for so long, or until a signal comes."""
        if not self.requested:
            select.select([self._reader], [], [], seconds)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        os.write(self._writer, b"!")
        self._restore()

    def _restore(self) -> None:
        previous, self._previous = self._previous, {}
        for number, handler in previous.items():
            signal.signal(number, handler)
