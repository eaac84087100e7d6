"""Shipping: sealed segments go to the broker, and leave once the ledger shows them.

One process of a machine ships at a time, the one that holds the lock. Without a broker nothing
is shipped: the folder of this machine reads the segments itself.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from trackable import alarms, batches, broker, conf, notices
from trackable.batches import Batch
from trackable.exceptions import BrokerRefused, BrokerUnavailable
from trackable.journal import segments, writer
from trackable.journal.locks import MachineLock
from trackable.journal.segments import FOLDED, OPEN, SEALED, SHIPPED, Segment

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.02
#: The age of a sealed segment at which others ship it though somebody holds the shipper's lock.
OVERDUE_SECONDS: Final = 30.0
#: The share of the journal's bound past which folded segments are not kept for their retention.
SHARE_BEFORE_FOLDED_GO: Final = 0.25


class Shipper:
    """Ships the segments of one directory through one broker connection."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = MachineLock(directory / "shipper.lock")
        self._broker = broker.Broker()
        self._pause_seconds = 0.0
        self._next_attempt = 0.0

    def ship(self, *, deadline: float | None = None) -> bool:
        """Publish every sealed segment, if this process is the machine's shipper.

        Stops at the deadline (of ``time.monotonic``). ``False`` if the broker is away: then
        the next attempt is due after a pause that doubles. The lock only saves work, so a
        shipper that hangs is overtaken.
        """
        if time.monotonic() < self._next_attempt:
            return False
        waiting = segments.listing(self.directory, SEALED)
        if not self._is_shipper() and not any(map(_is_overdue, waiting)):
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
            segments.complain(self.lock.path, error)
            return False

    def _publish_all(self, waiting: Iterable[Segment], deadline: float | None) -> bool:
        for segment in waiting:
            if deadline is not None and time.monotonic() > deadline:
                return False
            self._publish(segment)
        return True

    def _publish(self, segment: Segment) -> None:
        found = read(segment)
        if found is None:
            return
        refused = [batch for batch in found if not self._is_accepted(batch)]
        if refused:
            return
        segment.become(SHIPPED)
        self._pause_seconds = 0.0
        # Whoever noticed the outage may be gone, so this is not asked of our own pause.
        alarms.end(self.directory, alarms.BROKER)

    def _is_accepted(self, batch: Batch) -> bool:
        try:
            self._broker.publish(batch)
        except BrokerRefused as error:
            # Of this class's queue, so the others go on.
            if notices.is_news(f"{batch.data_class}: {error}"):
                logger.error("The broker refuses batches of %s: %s", batch.data_class, error)
            return False
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
    return time.time() - segment.changed_at() > OVERDUE_SECONDS


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


def read(segment: Segment) -> list[Batch] | None:
    """Return the batches of a sealed segment; ``None`` if it cannot be read, or has moved on."""
    try:
        found, damaged = batches.of_segment(segment)
    except FileNotFoundError:
        return None
    except OSError as error:
        segments.complain(segment.path, error)
        return None
    if damaged and notices.is_news(f"{segment.id} is damaged"):
        logger.error("Segment %s has %d damaged lines; they are lost.", segment.id, damaged)
    return found


def settle(directory: Path, now: float) -> None:
    """Compare the segments with the ledger, at a time in seconds since the epoch.

    What it shows becomes ``.folded``; what it has shown for ``TRACKABLE_JOURNAL_RETENTION``,
    and still shows, is removed; what it does not show in time is sent again, under the same
    ids. Runs SQL.
    """
    _settle_folded(directory, now)
    _settle_waiting(directory, now)
    _make_room(directory)


def _settle_waiting(directory: Path, now: float) -> None:
    waiting = segments.listing(directory, SEALED, SHIPPED)
    folded = _folded(waiting)
    for segment in waiting:
        if segment in folded:
            segment.become(FOLDED)
        elif segment.state == SHIPPED and _is_lost(segment, now):
            segment.become(SEALED)


def _is_lost(segment: Segment, now: float) -> bool:
    """Tell whether to send a segment again: ever more rarely, lest a queue without folder grows."""
    delay = max(float(conf.get("RESEND_AFTER")), (now - segment.created_at) / 2)
    return now - segment.changed_at() >= delay


def _settle_folded(directory: Path, now: float) -> None:
    kept_since = now - float(conf.get("JOURNAL_RETENTION"))
    expired = [s for s in segments.listing(directory, FOLDED) if s.changed_at() <= kept_since]
    folded = _folded(expired)
    horizon = now - float(conf.get("LEDGER_HORIZON"))
    for segment in expired:
        # Past the horizon the ledger has only forgotten it.
        if segment in folded or segment.created_at < horizon:
            segment.remove()
        elif segment.become(SEALED) is not None:
            logger.warning("The ledger has lost segment %s: it is sent again.", segment.id)


def _folded(found: Iterable[Segment]) -> set[Segment]:
    from trackable.folding import ledger

    ids_of = {segment: _batch_ids(segment) for segment in found}
    by_alias: dict[str, set[str]] = defaultdict(set)
    for pairs in ids_of.values():
        for label, identity in pairs or ():
            by_alias[ledger.alias_of(label)].add(identity)
    shown: set[str] = set()
    for alias, ids in by_alias.items():
        shown |= ledger.shows(alias, ids)
    return {
        segment
        for segment, pairs in ids_of.items()
        if pairs is not None and all(identity in shown for _, identity in pairs)
    }


def _batch_ids(segment: Segment) -> tuple[tuple[str, str], ...] | None:
    try:
        return _read_batch_ids(segment.directory, segment.id)
    except FileNotFoundError:
        return None
    except OSError as error:
        segments.complain(segment.path, error)
        return None


@lru_cache(maxsize=4096)
def _read_batch_ids(directory: Path, segment_id: str) -> tuple[tuple[str, str], ...]:
    found, _ = batches.of_lines(segment_id, segments.content_of(directory, segment_id))
    return tuple((batch.data_class, batch.id) for batch in found)


def _make_room(directory: Path) -> None:
    """Give up the retention of folded segments, oldest first, long before the journal is full."""
    bound = int(conf.get("JOURNAL_MAX_BYTES")) * SHARE_BEFORE_FOLDED_GO
    excess = segments.size_bytes(directory) - bound
    for segment in segments.listing(directory, FOLDED):
        if excess <= 0:
            break
        excess -= segment.size_bytes()
        segment.remove()


def flush(directory: Path, *, wait_seconds: float) -> None:
    """Have everything sealed that this machine has emitted so far.

    Adopts what dead processes left, and waits for what living ones have open, at most
    ``wait_seconds``.
    """
    try:
        writer.seal()
        segments.adopt(directory)
    except OSError as error:
        segments.complain(directory, error)
    awaited = {s.id for s in segments.listing(directory, OPEN) if s.size_bytes()}
    if not awaited:
        return
    segments.request_seal(directory)
    deadline = time.monotonic() + wait_seconds
    while awaited and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        awaited &= {segment.id for segment in segments.listing(directory, OPEN)}
