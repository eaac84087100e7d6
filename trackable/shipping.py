"""Shipping: sealed segments go to the broker.

One process of a machine ships at a time, the one that holds the lock. Without a broker nothing
is shipped: the folder of this machine reads the segments itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Final

from trackable import alarms, broker, conf, counting, notices
from trackable.batches import Batch
from trackable.counting import KnownLines
from trackable.exceptions import BrokerRefused, BrokerUnavailable
from trackable.journal import files, segments, tally, writer
from trackable.journal.locks import MachineLock
from trackable.journal.segments import OPEN, SEALED, SHIPPED, Segment

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.02
#: The age of a sealed segment at which others ship it though somebody holds the shipper's lock.
OVERDUE_SECONDS: Final = 30.0


class Shipper:
    """Ships the segments of one directory through one broker connection."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = MachineLock(directory / "shipper.lock")
        self._broker = broker.Broker()
        self._pause_seconds = 0.0
        self._next_attempt = 0.0
        #: data class -> when the broker refused its queue
        self._refused_at: dict[str, float] = {}
        #: batch -> when the broker took it, where it refused others of the same segment
        self._taken_at: dict[str, float] = {}

    def ship(self, *, deadline: float | None = None) -> bool:
        """Publish every sealed segment, if this process is the machine's shipper.

        Stops at the deadline (of ``time.monotonic``). ``False`` if the broker is away: then
        the next attempt is due after a pause that doubles. The lock only saves work, so a
        shipper that hangs is overtaken.
        """
        if time.monotonic() < self._next_attempt:
            return False
        waiting = segments.listing(self.directory, SEALED)
        if not self._is_shipper() and not self._is_to_overtake(waiting):
            return False
        try:
            return self._publish_all(waiting, deadline)
        except BrokerUnavailable as error:
            self._postpone(error)
            return False

    def _is_shipper(self) -> bool:
        try:
            return self.lock.acquire()
        except OSError as error:
            files.complain(self.lock.path, error)
            return False

    def _is_to_overtake(self, waiting: Iterable[Segment]) -> bool:
        return self.lock.is_quiet(OVERDUE_SECONDS) and any(map(_is_overdue, waiting))

    def _publish_all(self, waiting: Iterable[Segment], deadline: float | None) -> bool:
        known = KnownLines()
        for segment in waiting:
            if deadline is not None and time.monotonic() > deadline:
                return False
            self._publish(segment, known)
        return True

    def _publish(self, segment: Segment, known: KnownLines) -> None:
        found = read(segment, known)
        if found is None:
            return
        waiting = [batch for batch in found if not self._is_taken(batch)]
        if waiting:
            return
        if segment.become(SHIPPED) is None and segment.size_bytes():
            return  # The disk refuses: what the broker has taken is remembered.
        for batch in found:
            self._taken_at.pop(batch.id, None)
        self.lock.beat()
        tally.add(self.directory, shipped=sum(batch.hits for batch in found))
        self._pause_seconds = 0.0
        # Whoever noticed the outage may be gone, so this is not asked of our own pause.
        alarms.end(self.directory, alarms.BROKER)

    def _is_taken(self, batch: Batch) -> bool:
        """Publish a batch unless the broker has just taken it, or refused one of its class."""
        now = time.monotonic()
        if now < self._taken_at.get(batch.id, -inf) + float(conf.get("RESEND_AFTER")):
            return True
        if now < self._refused_at.get(batch.data_class, -inf) + LONGEST_PAUSE_SECONDS:
            return False
        try:
            self._broker.publish(batch)
        except BrokerRefused as error:
            # Of this class's queue, so the others go on.
            self._refused_at[batch.data_class] = now
            if notices.is_news(f"{batch.data_class}: {error}"):
                logger.error("The broker refuses batches of %s: %s", batch.data_class, error)
            return False
        self._taken_at[batch.id] = now
        return True

    def _postpone(self, error: BrokerUnavailable) -> None:
        doubled = min(self._pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        self._pause_seconds = max(doubled, FIRST_PAUSE_SECONDS)
        self._next_attempt = time.monotonic() + self._pause_seconds
        text = f"The broker is away; increments wait in {self.directory}. {error}"
        alarms.sound(self.directory, alarms.BROKER, text)

    def close(self) -> None:
        """Close the connection and let another process ship."""
        self._broker.close()
        self.lock.release()


def _is_overdue(segment: Segment) -> bool:
    # In the future too: the clock was set back, and to send twice does no harm.
    return abs(time.time() - segment.changed_at()) > OVERDUE_SECONDS


def ship_until(directory: Path, deadline: float) -> None:
    """Ship, or wait for the process that is this machine's shipper to do so, till the deadline.

    Ends at once if the broker is away. The deadline is one of ``time.monotonic``.
    """
    awaited = {segment.id for segment in segments.listing(directory, SEALED)}
    shipper = Shipper(directory)
    try:
        # Processes that end together take turns.
        while not shipper.ship(deadline=deadline) and not shipper.lock.is_held:
            time.sleep(POLL_SECONDS)
            awaited &= {segment.id for segment in segments.listing(directory, SEALED)}
            if not awaited or time.monotonic() > deadline:
                break
    finally:
        shipper.close()


def read(segment: Segment, known: KnownLines | None = None) -> list[Batch] | None:
    """Return the batches of a sealed segment; ``None`` if it cannot be read, or has moved on."""
    try:
        found = counting.of_segment(segment, known)
    except FileNotFoundError:
        return None
    except OSError as error:
        files.complain(segment.path, error)
        return None
    damaged = sum(batch.damaged for batch in found)
    if damaged and notices.is_news(f"{segment.id} is damaged"):
        logger.error("Segment %s has %d damaged lines; they are lost.", segment.id, damaged)
    return found


def flush(directory: Path, *, wait_seconds: float) -> None:
    """Have everything sealed that this machine has emitted so far.

    Adopts what dead processes left, and waits for what living ones have open, at most
    ``wait_seconds``.
    """
    try:
        writer.seal()
        segments.adopt(directory)
    except OSError as error:
        files.complain(directory, error)
    awaited = {s.id for s in segments.listing(directory, OPEN) if s.size_bytes()}
    if not awaited:
        return
    segments.request_seal(directory)
    deadline = time.monotonic() + wait_seconds
    while awaited and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        awaited &= {segment.id for segment in segments.listing(directory, OPEN)}
