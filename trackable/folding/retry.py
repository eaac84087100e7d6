"""Retrying: folds again what is in the quarantine; what is still unfit returns to it, once.

The ledger has these batches since they were set aside, so it is not asked. Each message counts
once because the transaction that counts it takes it out of the quarantine.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final

from django.db import transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from trackable import conf
from trackable.diversion import receivers
from trackable.exceptions import BadMessage
from trackable.folding import announcing, ledger, quarantine, relocation
from trackable.folding.engine import try_until_committed
from trackable.folding.quarantine import OLDER, Reject
from trackable.folding.relocation import Moved
from trackable.folding.tries import Try, by_class, fold_together
from trackable.journal import tally
from trackable.labels import folded_class_of
from trackable.models import QuarantinedMessage

logger = logging.getLogger(__name__)

#: Of one transaction: messages, and characters of their payloads.
MAX_MESSAGES: Final = 500
MAX_LENGTH: Final = 1 << 20

Messages = QuerySet[QuarantinedMessage]
#: What has moved, by the database that it has moved to.
Moves = dict[str, Moved]


@dataclass(slots=True)
class RetryReport:
    """What a retry did: numbers of messages, and of increments where the name says so."""

    increments: int = 0  # that are counted now
    folded: int = 0  # nothing of them is left
    returned: int = 0  # they are unfit still, or in part
    left: int = 0  # not tried: they may be counted already
    known: int = 0  # they were counted, or moved to another database, before
    gone: int = 0  # somebody has purged or folded them meanwhile

    def __iadd__(self, other: RetryReport) -> RetryReport:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self


def retry(
    alias: str,
    messages: Messages,
    *,
    older_than_ledger: bool = False,
    progress: Callable[[RetryReport], None] | None = None,
) -> RetryReport:
    """Fold quarantined messages of a database again, each once whoever else does so too.

    Those that may be counted already stay as they are, unless ``older_than_ledger``. Messages
    that are set aside meanwhile are not taken. ``progress`` is called with the report after each
    transaction.

    Deadlocks, serialisation failures and lost connections are tried again; if that does not
    help, raises what Django raises, and what is not folded by then waits as before. Raises
    ``RuntimeError`` in a transaction of the caller's.
    """
    report = RetryReport()
    waiting = messages.using(alias)
    if not older_than_ledger:
        report.left = waiting.filter(reason__startswith=OLDER).count()
        waiting = waiting.exclude(reason__startswith=OLDER)
    for keys in _portions(waiting):
        report += _retry(alias, keys, older_than_ledger)
        if progress is not None:
            progress(report)
    logger.info("Folded again: %s", report)
    return report


def _portions(messages: Messages) -> Iterator[list[int]]:
    """Yield the keys of the messages, in portions that one transaction can take."""
    ordered = messages.order_by("pk")
    last = ordered.aggregate(last=Max("pk"))["last"]
    sizes = ordered.values_list("pk", Length("payload"))
    after = 0
    while last and (page := list(sizes.filter(pk__gt=after, pk__lte=last)[:MAX_MESSAGES])):
        yield from _split(page)
        after = page[-1][0]


def _split(sizes: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    keys: list[int] = []
    total = 0
    for key, length in sizes:
        total += length
        if keys and total > MAX_LENGTH:
            yield keys
            keys, total = [], length
        keys.append(key)
    yield keys


def _retry(alias: str, keys: Sequence[int], older_than_ledger: bool) -> RetryReport:
    moves: Moves = defaultdict(dict)
    report = _commit(alias, keys, older_than_ledger, moves)
    for home, moved in moves.items():
        relocation.release(home, moved)
        copies = [key for key in moved.values() if key is not None]
        report += _commit(home, copies, older_than_ledger, None)
    if not receivers:
        tally.add(conf.journal_dir(), folded=report.increments)
    return report


def _commit(
    alias: str, keys: Sequence[int], older_than_ledger: bool, moves: Moves | None
) -> RetryReport:
    def attempt() -> RetryReport:
        return _Retry(alias, older_than_ledger).run(keys, moves)

    return try_until_committed(alias, "A retry of quarantined messages", attempt)


class _Retry:
    """One transaction that tries some of the messages of one database."""

    def __init__(self, alias: str, older_than_ledger: bool) -> None:
        self.alias = alias
        self.older_than_ledger = older_than_ledger
        self.now = timezone.now()
        self.clock = 0.0  # the database's, from the moment that it is asked
        self.report = RetryReport()
        self._rejects: list[Reject] = []
        self._returning: list[QuarantinedMessage] = []

    def run(self, keys: Sequence[int], moves: Moves | None) -> RetryReport:
        """Try the messages with these keys.

        What another database counts is moved there first, and entered into ``moves``; with
        ``None`` it stays.
        """
        with transaction.atomic(using=self.alias, durable=True):
            messages = self._lock(keys)
            tries = self._read(messages)
            if moves is not None:
                tries = self._move(tries, moves)
            tries = self._without_known(tries)
            for label, group in by_class(tries).items():
                fold_together(self.alias, label, group)
            for each in tries:
                self._conclude(each)
            self._replace(messages)
        self.report.gone = len(keys) - len(messages)
        quarantine.log(self._rejects)
        announcing.tell_retried(self.alias, ((each.batch, each.counted) for each in tries))
        return self.report

    def _lock(self, keys: Sequence[int]) -> list[QuarantinedMessage]:
        """Return the messages that are still there; from now on they are nobody else's."""
        stored = QuarantinedMessage._base_manager.using(self.alias).filter(pk__in=keys)
        # A write locks them in every database. SQLite would refuse one that follows a read.
        stored.update(retried_at=self.now)
        self.clock = ledger.clock(stored)
        return list(stored.select_for_update().order_by("pk"))

    def _read(self, messages: Sequence[QuarantinedMessage]) -> list[Try]:
        tries = []
        for message in messages:
            try:
                tries.append(Try.of(message))
            except BadMessage as error:
                self._return_whole(message, str(error))
        return tries

    def _move(self, tries: Sequence[Try], moves: Moves) -> list[Try]:
        """Move what another database counts; return the others."""
        away: dict[str, list[QuarantinedMessage]] = defaultdict(list)
        for each in tries:
            away[self._home(each)].append(each.message)
        away.pop(self.alias, None)
        for home, messages in away.items():
            # A transaction that is tried again finds what it has copied before.
            before = moves[home]
            moved = relocation.copy(home, messages)
            moves[home] = {mark: key or before.get(mark) for mark, key in moved.items()}
            self.report.known += list(moves[home].values()).count(None)
        return [each for each in tries if self._home(each) == self.alias]

    def _home(self, each: Try) -> str:
        """Return the database that counts it; this one, if nobody knows its class."""
        label = each.batch.data_class
        return ledger.alias_of(label) if folded_class_of(label) else self.alias

    def _without_known(self, tries: Sequence[Try]) -> list[Try]:
        """Leave out what was unreadable once, was sent again since, and is counted."""
        news = [each for each in tries if each.was_unreadable and not self._is_left(each)]
        firsts = {each.batch.id: each for each in reversed(news)}
        claimed = ledger.claim(self.alias, [each.batch for each in firsts.values()])
        fresh = {firsts[identity] for identity in claimed}
        self.report.known += len(news) - len(fresh)
        return [each for each in tries if not each.was_unreadable or each in fresh]

    def _is_left(self, each: Try) -> bool:
        """Return what the ledger may have forgotten, for a person to decide about it."""
        if not ledger.is_past_horizon(each.batch, self.clock):
            return False
        each.is_in_doubt = True
        if not self.older_than_ledger:
            self._return_whole(each.message, OLDER)
        return not self.older_than_ledger

    def _conclude(self, each: Try) -> None:
        self.report.increments += each.increments
        if each.unfit:
            self._return(each.message, each.rejects())
        else:
            self.report.folded += 1

    def _return_whole(self, message: QuarantinedMessage, reason: str) -> None:
        reject = Reject(
            message.batch_id, message.data_class, reason, message.increments, message.payload
        )
        self._return(message, [reject])

    def _return(self, message: QuarantinedMessage, rejects: Sequence[Reject]) -> None:
        """Have rejects take a message's place, with the time at which it was set aside."""
        returning = [quarantine.message_of(each, message.quarantined_at) for each in rejects]
        for each in returning:
            each.retried_at = self.now
        returning[0].pk = message.pk
        self.report.returned += 1
        self._rejects += rejects
        self._returning += returning

    def _replace(self, messages: Sequence[QuarantinedMessage]) -> None:
        """Take the messages out, and put back what returns, whatever the settings say of it."""
        keys = [message.pk for message in messages]
        stored = QuarantinedMessage._base_manager.using(self.alias).filter(pk__in=keys)
        # Receivers of signals would have every payload loaded, and could refuse.
        stored._raw_delete(self.alias)
        quarantine.keep(self.alias, self._returning)
