"""Collecting: takes what waits, from the broker or from the journal, and folds it in groups."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.apps import apps

from trackable import broker, conf, shipping
from trackable.broker import UNKNOWN, Broker, Claim
from trackable.diversion import receivers
from trackable.exceptions import BrokerRefused
from trackable.folding import ledger
from trackable.folding.engine import FoldReport, fold
from trackable.journal import segments
from trackable.journal.segments import SEALED, SHIPPED
from trackable.models import TrackableData

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

LEAST_DEPTH: Final = 1000


def collect(
    data_classes: Sequence[type[TrackableData]] | None = None,
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
    collector = _Collector(progress)
    if receivers:
        collector.fold_all(receivers[-1].claims(labels), max_batches)
    else:
        _collect_waiting(collector, labels, max_batches, wait=wait)
    report = collector.report
    logger.info("Folded %s in %.2f s", report, time.monotonic() - started)
    collector.raise_error()
    return report


def _collect_waiting(
    collector: _Collector, labels: list[str] | None, max_batches: int | None, *, wait: bool
) -> None:
    directory = conf.journal_dir()
    patience_seconds = 2 * float(conf.get("FLUSH_INTERVAL")) + 1
    shipping.flush(directory, wait_seconds=patience_seconds if wait else 0.0)
    if broker.is_configured():
        shipping.ship_until(directory, time.monotonic() + patience_seconds)
        with Broker() as source:
            collector.fold_all(_from_broker(source, labels, collector.failed), max_batches)
    else:
        collector.fold_all(_from_journal(directory, labels), max_batches)
    shipping.settle(directory, time.time())
    ledger.prune_hourly()


def _from_broker(
    source: Broker, labels: list[str] | None, failed: Container[str]
) -> Iterator[Claim]:
    """Yield what waited in the queues when it was asked for, so that none starves another."""
    for label, waiting in _depths(source, labels or _all_labels()):
        for _ in range(waiting):
            claim = source.claim(label) if label not in failed else None
            if claim is None:
                break
            yield claim


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
    models = apps.get_models()
    found = [model._meta.label for model in models if issubclass(model, TrackableData)]
    return [*found, UNKNOWN]


def _from_journal(directory: Path, labels: list[str] | None) -> Iterator[Claim]:
    for segment in segments.listing(directory, SEALED, SHIPPED):
        for batch in shipping.read(segment) or ():
            if labels is None or batch.data_class in labels:
                yield Claim(batch)


class _Collector:
    """Folds claims in groups of one data class, bounded by ``TRACKABLE_FOLD_MAX_ENTRIES``."""

    def __init__(self, progress: Callable[[FoldReport], None] | None) -> None:
        self.report = FoldReport()
        self._progress = progress
        self._max_entries = int(conf.get("FOLD_MAX_ENTRIES"))
        #: the data classes that could not be folded, and why
        self.failed: dict[str, Exception] = {}

    def fold_all(self, claims: Iterator[Claim], max_batches: int | None) -> None:
        """Fold the claims, or so many of them that were not folded before."""
        left = max_batches
        while taken := self._take(claims, left):
            self._fold(taken)
            if max_batches is not None:
                left = max_batches - self.report.batches

    def _take(self, claims: Iterator[Claim], number: int | None) -> list[Claim]:
        taken: list[Claim] = []
        entries = 0
        for claim in islice(claims, number):
            taken.append(claim)
            entries += 1 + claim.size
            if entries >= self._max_entries:
                break
        return taken

    def _fold(self, taken: list[Claim]) -> None:
        groups: dict[str, list[Claim]] = defaultdict(list)
        for claim in taken:
            groups[claim.batch.data_class].append(claim)
        for label, claims in groups.items():
            if label in self.failed:
                continue
            try:
                self.report += fold(label, [claim.batch for claim in claims])
            except Exception as error:
                logger.exception("%s could not be folded; its batches wait.", ascii(label))
                self.failed[label] = error
                continue
            for claim in claims:
                claim.ack()
            if self._progress is not None:
                self._progress(self.report)

    def raise_error(self) -> None:
        for error in self.failed.values():
            raise error
