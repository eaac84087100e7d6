"""Announcing: sends the signals that tell what a fold or a retry has committed."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import dropwhile

from django.dispatch import Signal

from trackable import conf
from trackable.batches import Batch, Counter, Entry, pair_of
from trackable.folding.quarantine import Reject
from trackable.labels import folded_class_of
from trackable.signals import increment_quarantined, increments_folded
from trackable.uniques.pseudonyms import MARK

logger = logging.getLogger(__name__)


def tell(alias: str, batches: Sequence[Batch], rejects: Sequence[Reject]) -> None:
    """Send what became of the batches of one transaction; call it after the commit.

    Raises nothing, whatever receivers do.
    """
    if increments_folded.receivers:
        for batch, entries in _counted(batches, rejects):
            _tell_folded(alias, batch, entries, is_retry=False)
    if rejects and increment_quarantined.receivers:
        _tell_rejected(alias, rejects)


def tell_retried(alias: str, tries: Iterable[tuple[Batch, Sequence[Entry]]]) -> None:
    """Send what a retry has counted of each message; call it after the commit."""
    if increments_folded.receivers:
        for batch, entries in tries:
            _tell_folded(alias, batch, entries, is_retry=True)


def _tell_folded(alias: str, batch: Batch, entries: Sequence[Entry], *, is_retry: bool) -> None:
    if entries:
        _send(
            increments_folded,
            batch.data_class,
            batch_id=batch.id,
            increments=sum(entry.hits for entry in entries),
            entries=_without_visitors(entries),
            using=alias,
            is_retry=is_retry,
        )


def _without_visitors(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Add up the entries of distinct counts: nobody learns who was seen."""
    if not any(MARK in entry.field for entry in entries):
        return tuple(entries)
    named = (entry._replace(field=entry.field.partition(MARK)[0]) for entry in entries)
    return Batch.of("", "", named).entries


def _counted(
    batches: Sequence[Batch], rejects: Sequence[Reject]
) -> Iterator[tuple[Batch, list[Entry]]]:
    """Yield each batch with the entries of it that are counted."""
    unfit = _unfit(batches, rejects)
    for batch in batches:
        gone = unfit[batch.id]
        yield batch, [entry for entry in batch.entries if entry.counter not in gone]


def _unfit(batches: Iterable[Batch], rejects: Sequence[Reject]) -> dict[str, set[Counter]]:
    """Return the counters of each batch that were set aside.

    A reject is the sum of what several batches have added, and names the first of them.
    """
    wanted = {entry.counter for reject in rejects for entry in reject.entries}
    holders: dict[tuple[str, Counter], list[Batch]] = defaultdict(list)
    for batch in batches:
        for counter in batch.counts.keys() & wanted:
            holders[batch.data_class, counter].append(batch)
    found: dict[str, set[Counter]] = defaultdict(set)
    for reject in rejects:
        for entry in reject.entries:
            held = holders[reject.data_class, entry.counter]
            _take_out(reject.batch_id, entry, held, found)
    return found


def _take_out(
    first_id: str, entry: Entry, holders: Iterable[Batch], unfit: dict[str, set[Counter]]
) -> None:
    """Note the counter of an entry as unfit in the batches whose increments make it up."""
    left = entry.hits
    for batch in dropwhile(lambda each: each.id != first_id, holders):
        if left <= 0:
            return
        if entry.counter not in unfit[batch.id]:
            unfit[batch.id].add(entry.counter)
            left -= pair_of(batch.counts[entry.counter])[1]


def _tell_rejected(alias: str, rejects: Iterable[Reject]) -> None:
    by_batch: dict[tuple[str, str], list[Reject]] = defaultdict(list)
    for reject in rejects:
        by_batch[reject.data_class, reject.batch_id].append(reject)
    for (label, batch_id), found in by_batch.items():
        reasons: dict[str, int] = defaultdict(int)
        for reject in found:
            reasons[reject.reason] += 1
        _send(
            increment_quarantined,
            label,
            batch_id=batch_id,
            increments=sum(reject.increments for reject in found),
            reasons=dict(reasons),
            using=alias,
            is_kept=not conf.get("REMOVE_MALFORMED_MESSAGES"),
        )


def _send(signal: Signal, label: str, **named: object) -> None:
    sender = folded_class_of(label)
    if not signal.has_listeners(sender):
        return
    try:
        signal.send_robust(sender, data_class=label, **named)
    except Exception:
        # Django logs what a receiver raises, but not that of one without a name.
        logger.exception("A receiver of what was folded failed.")
