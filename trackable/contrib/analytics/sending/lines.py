"""Lines: for each service of a process a queue, a breaker, and threads that empty the queue.

So a service that hangs keeps none of the others waiting.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Final, Protocol

from trackable import notices
from trackable.contrib.analytics import conf
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.reporting import log
from trackable.contrib.analytics.sending import drops
from trackable.contrib.analytics.sending.backoff import pause_seconds
from trackable.contrib.analytics.sending.breaker import Breaker
from trackable.contrib.analytics.sending.delivering import Delivery
from trackable.contrib.analytics.sending.queue import HitQueue

logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60.0
#: how often to see whether another thread has found an outage to be over
LOOK_AGAIN_SECONDS: Final = 1.0
#: No time-out is shorter: 0 would be none.
MIN_SECONDS: Final = 0.001


class Target(Protocol):
    """Where a line's hits go."""

    alias: str
    max_bulk: int
    max_threads: int

    def deliver(self, hits: list[Hit], line: Line) -> Delivery:
        """Tell of hits. Never raises. Asks the line before each thing that may take long."""


class Line:
    """The queue to one target, and the threads that empty it: more of them when more waits."""

    def __init__(self, target: Target, breaker: Breaker) -> None:
        self.target = target
        self.breaker = breaker
        self.queue = HitQueue(
            max_hits=conf.get("queue_max_hits"), max_bytes=conf.get("queue_max_bytes")
        )
        self.retries = int(conf.get("retries"))
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._closing = threading.Event()
        #: when the process that ends is not to be kept any longer
        self._deadline = math.inf

    def put(self, hit: Hit) -> None:
        """Have a hit sent by a thread. Does not wait, whatever has become of the service."""
        if not self.queue.put(hit):
            drops.add(self.target.alias, "the queue is full")
        number = len(self._threads)
        wanted = 1 + len(self.queue) // (2 * self.target.max_bulk)
        if number < min(wanted, self.target.max_threads):
            self._start()

    def _start(self) -> None:
        with self._starting:
            if len(self._threads) >= self.target.max_threads:
                return
            name = f"trackable-analytics-{self.target.alias}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                if notices.is_news("analytics: thread"):
                    logger.warning("No thread can be started (%s): hits wait.", error)
            else:
                self._threads.append(thread)

    def _run(self) -> None:
        while not (self.queue.is_closed and not len(self.queue)):
            self.turn(timeout_seconds=IDLE_SECONDS)

    def turn(self, *, timeout_seconds: float) -> None:
        """Take hits and see them through: sent, or dropped after so many tries."""
        hits = self.queue.take(self._portion(), timeout_seconds=timeout_seconds)
        try:
            if hits:
                self._see_through(hits)
            drops.tell()
        except Exception as error:
            log(f"Hits for {self.target.alias!a} were not sent", error)
        finally:
            self.queue.done(len(hits))

    def _portion(self) -> int:
        """Return how many hits to take: of an outage, try the end with a single one."""
        return 1 if self.breaker.is_open else self.target.max_bulk

    def _see_through(self, hits: list[Hit]) -> None:
        for tries in range(1, self.retries + 2):
            delivery = self.target.deliver(hits, self)
            for reason, number in delivery.dropped.items():
                drops.add(self.target.alias, reason, number)
            hits = delivery.later
            if not hits or tries > self.retries:
                break
            # Longer, if the service has asked for that, is the breaker's affair: see ``may_go``.
            if not self._pause(pause_seconds(tries)):
                break
        if hits:
            drops.add(self.target.alias, delivery.why_later, len(hits))

    def may_go(self) -> bool:
        """Wait while the breaker is open; tell whether to go on, which is not so at the end."""
        if time.monotonic() >= self._deadline:
            return False
        while (seconds := self.breaker.wait_seconds()) > 0:
            if self._closing.wait(min(seconds, LOOK_AGAIN_SECONDS)):
                return False
        return True

    def timeouts_seconds(self) -> tuple[float, float]:
        """Return how long to wait for a connection, and for an answer: at the end, what is left."""
        share = max(MIN_SECONDS, (self._deadline - time.monotonic()) / 2)
        connect, read = conf.timeouts_seconds()
        return min(connect, share), min(read, share)

    def _pause(self, seconds: float) -> bool:
        """Wait before a further try; tell whether there is to be one."""
        return not self._closing.wait(seconds)

    def flush(self, *, deadline: float) -> bool:
        """Wait until everything is sent or dropped; tell whether that came about in time."""
        return self.queue.wait_until_empty(deadline=deadline)

    def close(self) -> None:
        """Take no more hits, and try none again: what waits is tried once more."""
        self._closing.set()
        self.queue.close()

    def finish(self, *, deadline: float) -> None:
        """Send what waits, until the deadline; drop the rest."""
        self._deadline = deadline
        self.close()
        while not self._threads and len(self.queue) and time.monotonic() < deadline:
            self.turn(timeout_seconds=0.0)
        self.queue.wait_until_empty(deadline=deadline)
        if number := self.queue.clear():
            drops.add(self.target.alias, "the process ended", number)
