"""The queue in which hits wait: bounded in their number and in their size."""

from __future__ import annotations

import threading
import time
from collections import deque

from trackable.contrib.analytics.hits import Hit


class HitQueue:
    """Takes hits from requests without waiting, and gives them to threads that do wait."""

    def __init__(self, *, max_hits: int, max_bytes: int) -> None:
        self.max_hits = max_hits
        self.max_bytes = max_bytes
        self._changed = threading.Condition()
        self._waiting: deque[Hit] = deque()
        self._size_bytes = 0
        #: taken, and not done with
        self._in_hand = 0
        self._is_closed = False

    def __len__(self) -> int:
        """The number of hits that wait to be taken."""
        return len(self._waiting)

    @property
    def size_bytes(self) -> int:
        """About how much memory they take."""
        return self._size_bytes

    def put(self, hit: Hit) -> bool:
        """Add a hit; tell whether there was room for it."""
        size_bytes = hit.size_bytes
        with self._changed:
            is_full = len(self._waiting) >= self.max_hits
            if is_full or self._is_closed or self._size_bytes + size_bytes > self.max_bytes:
                return False
            self._waiting.append(hit)
            self._size_bytes += size_bytes
            self._changed.notify()
            return True

    def take(self, most: int, *, timeout_seconds: float) -> list[Hit]:
        """Take the oldest hits, so many at most; wait for one if there is none, and so long."""
        with self._changed:
            if not self._waiting and not self._is_closed:
                self._changed.wait(timeout_seconds)
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._size_bytes -= sum(hit.size_bytes for hit in taken)
            self._in_hand += len(taken)
            return taken

    def done(self, number: int) -> None:
        """Say that hits that were taken are sent or dropped."""
        with self._changed:
            self._in_hand -= number
            self._changed.notify_all()

    def wait_until_empty(self, *, deadline: float) -> bool:
        """Wait until nothing waits and everything taken is done; tell whether that came about."""
        with self._changed:
            while self._waiting or self._in_hand:
                if (remaining := deadline - time.monotonic()) <= 0:
                    return False
                self._changed.wait(remaining)
            return True

    def close(self) -> None:
        """Take no more hits, and let nobody wait for one."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def clear(self) -> int:
        """Drop what waits, and return how many hits that were."""
        with self._changed:
            number = len(self._waiting)
            self._waiting.clear()
            self._size_bytes = 0
            self._changed.notify_all()
            return number
