"""Ctrl-C and SIGTERM end the demo in good order."""

from __future__ import annotations

import signal


class Ended(BaseException):
    """Somebody has asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.status = 128 + number


def on_signals() -> None:
    """Have the first SIGINT or SIGTERM raise ``Ended``; what ends then is not interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def _end(number: int, _frame: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise Ended(number)
