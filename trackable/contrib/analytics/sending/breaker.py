"""The circuit breaker: keeps from asking, for a while, whom asking does not help."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class Breaker:
    """Opens after so many failures in a row, or when asked to, and then lets one try go at a time.

    Knows nothing of what is tried, and may be asked from many threads.
    """

    def __init__(
        self,
        max_failures: int,
        open_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_failures = max_failures
        self.open_seconds = open_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._quiet_until: float | None = None
        self._rests_until = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether the last tries have failed, so that only one is let go at a time."""
        return self._quiet_until is not None

    def wait_seconds(self) -> float:
        """Return how long to wait before the next try; 0 lets the caller try now.

        Of an open one, 0 is said once, and again ``open_seconds`` later: what becomes of the one
        try is to be told first.
        """
        with self._lock:
            if self._quiet_until is None:
                return 0.0
            now = self._clock()
            if now < self._quiet_until:
                return self._quiet_until - now
            self._quiet_until = now + self.open_seconds
            return 0.0

    def succeed(self) -> bool:
        """Remember that a try has succeeded; tell whether that ends an outage.

        It does not while a rest lasts: the try was begun before.
        """
        with self._lock:
            was_open, self._failures = self.is_open, 0
            if self._clock() < self._rests_until:
                return False
            self._quiet_until = None
            return was_open

    def fail(self) -> bool:
        """Remember that a try has failed; tell whether that begins an outage."""
        with self._lock:
            was_open = self.is_open
            self._failures += 1
            if self._failures >= self.max_failures:
                self._be_quiet_until(self._clock() + self.open_seconds)
            return self.is_open and not was_open

    def rest(self, seconds: float) -> bool:
        """Open at once, for as long as was asked for; tell whether that begins an outage."""
        with self._lock:
            was_open = self.is_open
            self._rests_until = max(self._rests_until, self._clock() + seconds)
            self._be_quiet_until(self._rests_until)
            return not was_open

    def _be_quiet_until(self, moment: float) -> None:
        self._quiet_until = moment if self._quiet_until is None else max(moment, self._quiet_until)
