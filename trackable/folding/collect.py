"""Collecting: takes what waits, from the broker or from the journal, and folds it in groups."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.db import Error, InterfaceError, OperationalError, connections

from trackable import broker, conf, notices, settling, shipping
from trackable.batches import Batch, Counter
from trackable.broker import UNKNOWN, Broker, Claim
from trackable.counting import KnownLines
from trackable.diversion import receivers
from trackable.exceptions import BrokerRefused
from trackable.folding import garbage, ledger
from trackable.folding.engine import FoldReport, fold
from trackable.journal import segments, tally
from trackable.journal.segments import SEALED, SHIPPED
from trackable.labels import folded_class_of, folded_classes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackable.labels import FoldedClass

logger = logging.getLogger(__name__)

LEAST_DEPTH: Final = 1000
#: A transaction takes at most so many times as many entries: each takes a fraction of the memory.
ENTRIES_PER_COUNTER: Final = 8


def collect(
    data_classes: Sequence[FoldedClass] | None = None,
    *,
    max_batches: int | None = None,
    wait: bool = True,
    progress: Callable[[FoldReport], None] | None = None,
) -> FoldReport:
    """Ship what waits on this machine, fold what waits anywhere, and report.

    With ``wait``, first has every process of this machine seal what it has emitted.
    ``progress`` is called with the report after each group. A data class whose fold fails does
    not keep the others from being folded; its error is raised at the end. In tests with an
    outbox, takes what is in that and nothing else.
    """
    started = time.monotonic()
    labels = [cls._meta.label for cls in data_classes] if data_classes else None
    collector = _Collector(progress, None if receivers else conf.journal_dir())
    try:
        if receivers:
            collector.fold_all(receivers[-1].claims(labels), max_batches)
        else:
            _collect_waiting(collector, labels, max_batches, wait=wait)
    finally:
        seconds = time.monotonic() - started
        logger.info("Folded %s in %.2f s", collector.report, seconds)
        collector.tell_end(seconds)
    collector.raise_error()
    return collector.report


def _collect_waiting(
    collector: _Collector, labels: list[str] | None, max_batches: int | None, *, wait: bool
) -> None:
    directory = conf.journal_dir()
    patience_seconds = 2 * float(conf.get("FLUSH_INTERVAL")) + 1
    shipping.flush(directory, wait_seconds=patience_seconds if wait else 0.0)
    if broker.is_configured():
        shipping.ship_until(directory, time.monotonic() + patience_seconds)
        with Broker() as source:
            collector.fold_all(_from_broker(source, labels, collector.is_failed), max_batches)
    else:
        collector.fold_all(_from_journal(directory, labels), max_batches)
    settling.settle(directory, time.time())
    ledger.prune_hourly()


def _from_broker(
    source: Broker, labels: list[str] | None, is_failed: Callable[[str], bool]
) -> Iterator[Claim]:
    """Yield what waited in the queues when it was asked for, so that none starves another."""
    for label, waiting in _depths(source, labels or _all_labels()):
        ask = partial(_claim, source, label, is_failed)
        # No name here holds a claim while the next one comes: messages may be long.
        yield from islice(iter(ask, None), waiting)


def _claim(source: Broker, label: str, is_failed: Callable[[str], bool]) -> Claim | None:
    return None if is_failed(label) else source.claim(label)


def _depths(source: Broker, labels: Iterable[str]) -> list[tuple[str, int]]:
    """Ask for every queue before a claim is made: a refusal costs the connection, and claims."""
    found = []
    for label in labels:
        try:
            # Some of kombu's transports cannot tell, and say 0.
            found.append((label, max(source.depth(label), LEAST_DEPTH)))
        except BrokerRefused as error:
            logger.error("The broker refuses the queue of %s: %s", label, error)
    return found


def _all_labels() -> Iterable[str]:
    """Return the queues to drain: also of data classes that nobody has registered any more."""
    return [*(cls._meta.label for cls in folded_classes()), UNKNOWN]


def _from_journal(directory: Path, labels: list[str] | None) -> Iterator[Claim]:
    known = KnownLines()
    for segment in segments.listing(directory, SEALED, SHIPPED):
        for batch in shipping.read(segment, known) or ():
            if labels is None or batch.data_class in labels:
                yield Claim(batch)


def _group_of(data_class: str) -> str:
    """Return what claims are folded by: classes that are unknown have one ledger, and one fold."""
    return UNKNOWN if folded_class_of(data_class) is None else data_class


def _answers(alias: str) -> bool:
    try:
        connections[alias].ensure_connection()
        return connections[alias].is_usable()
    except Error:
        return False


class _Collector:
    """Folds claims in groups of one data class, bounded by ``TRACKABLE_FOLD_MAX_COUNTERS``."""

    def __init__(
        self, progress: Callable[[FoldReport], None] | None, directory: Path | None
    ) -> None:
        self.report = FoldReport()
        self._progress = progress
        #: of the journal whose tally is told
        self._directory = directory
        self._max_counters = int(conf.get("FOLD_MAX_COUNTERS"))
        #: the data classes that could not be folded, and why
        self.failed: dict[str, Exception] = {}
        #: the databases that do not answer
        self._away: set[str] = set()

    def fold_all(self, claims: Iterator[Claim], max_batches: int | None) -> None:
        """Fold the claims, or so many of them that were not folded before."""
        left = max_batches
        while self._fold(self._take(claims, left)):
            if max_batches is not None:
                left = max_batches - self.report.batches

    @garbage.paused()
    def _take(self, claims: Iterator[Claim], number: int | None) -> list[Claim]:
        taken: list[Claim] = []
        counters: dict[str, set[Counter]] = defaultdict(set)
        entries = 0
        for claim in islice(claims, number):
            taken.append(claim)
            entries += 1 + claim.size
            if isinstance(claim.batch, Batch):
                counters[claim.batch.data_class].update(claim.batch.counts)
            different = sum(map(len, counters.values()))
            if max(different, entries / ENTRIES_PER_COUNTER) >= self._max_counters:
                break
        return taken

    def _fold(self, taken: list[Claim]) -> bool:
        """Fold what was taken, and tell whether there was anything."""
        groups: dict[str, list[Claim]] = defaultdict(list)
        for claim in taken:
            groups[_group_of(claim.batch.data_class)].append(claim)
        for label, claims in groups.items():
            if not self.is_failed(label):
                self._fold_group(label, claims)
        return bool(taken)

    def _fold_group(self, label: str, claims: list[Claim]) -> None:
        try:
            report = fold(label, [claim.batch for claim in claims])
        except Exception as error:
            # Whoever watches tries again and again: how it came about is told once an hour.
            is_news = notices.is_news(f"fold of {label}: {type(error).__name__}")
            logger.error(
                "%s could not be folded; its batches wait: %s",
                ascii(label),
                ascii(f"{type(error).__name__}: {error}"[:300]),
                exc_info=is_news,
            )
            self.failed[label] = error
            self._look_after(ledger.alias_of(label), error)
            return
        for claim in claims:
            claim.ack()
        self.report += report
        self._tell(report)
        if self._progress is not None:
            self._progress(self.report)

    def is_failed(self, label: str) -> bool:
        """Tell whether a data class, or the database that counts for it, has failed."""
        return label in self.failed or (bool(self._away) and ledger.alias_of(label) in self._away)

    def _look_after(self, alias: str, error: Exception) -> None:
        """Do not try a database for each data class anew, with all its pauses, when it is away."""
        if isinstance(error, OperationalError | InterfaceError) and not _answers(alias):
            logger.error("The database %r does not answer: what it counts waits.", alias)
            self._away.add(alias)

    def _tell(self, report: FoldReport) -> None:
        if self._directory is not None:
            tally.add(
                self._directory,
                folded=report.increments,
                filtered=report.filtered,
                dropped=report.dropped,
                damaged=report.damaged,
                quarantined=report.quarantined,
                duplicates=report.duplicate_batches,
            )

    def tell_end(self, seconds: float) -> None:
        """Enter this fold into the machine's tally as the last one, if it took anything."""
        if self._directory is not None and self.report != FoldReport():
            tally.add(
                self._directory,
                folds=1,
                fold_at=int(time.time()),
                fold_increments=self.report.increments,
                fold_milliseconds=int(seconds * 1000),
            )

    def raise_error(self) -> None:
        for error in self.failed.values():
            raise error
