"""Relocation: moves quarantined messages to the database that counts their data class now.

A message whose class was unknown was set aside in the database of the default ledger. No
transaction spans two databases, so the copy goes in with a mark in the ledger beside it: whoever
finds the original again, after a crash between the two commits, knows that it has moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from django.db import models, transaction

from trackable.batches import Batch, id_time
from trackable.folding import ledger
from trackable.journal.segments import ID_LENGTH
from trackable.models import LedgerEntry, QuarantinedMessage

#: The marks of the messages, and the keys of the copies; ``None`` if it was copied before.
Moved = dict[str, int | None]


def copy(home: str, messages: Sequence[QuarantinedMessage]) -> Moved:
    """Copy messages to another database, each once; the originals are for the caller to delete.

    The caller holds them locked, in a transaction of their own database. Then ``release`` the
    marks, but not before the originals are gone for good.
    """
    marked = {_mark(message): message for message in messages}
    moved: Moved = dict.fromkeys(marked)
    with transaction.atomic(using=home, durable=True):
        batches = [Batch(mark, message.data_class) for mark, message in marked.items()]
        claimed = ledger.claim(home, batches)
        _marks(home, claimed).update(folded_at=ledger.never())
        counted = _counted(home, [marked[mark] for mark in claimed])
        for mark in sorted(claimed):
            if marked[mark].batch_id not in counted:
                moved[mark] = _copy(home, marked[mark])
    return moved


def _counted(home: str, messages: Sequence[QuarantinedMessage]) -> set[str]:
    """Return the batches that the other ledger has from a fold; enter the others as moved.

    A batch of which a part has moved before has two entries, its own and a mark.
    """
    ids = {m.batch_id: m.data_class for m in messages}
    marks = {_moved_mark(each): each for each in ids}
    fresh = ledger.claim(home, [Batch(each, label) for each, label in ids.items()])
    moved = {marks[each] for each in ledger.shows(home, marks)}
    ledger.claim(home, [Batch(_moved_mark(each), ids[each]) for each in fresh])
    return ids.keys() - fresh - moved


def _moved_mark(batch_id: str) -> str:
    digest = sha256(f"moved:{batch_id}".encode()).hexdigest()
    return (batch_id[:12] + digest)[:ID_LENGTH]


def release(home: str, marks: Iterable[str]) -> None:
    """Let marks be pruned like other entries of the ledger."""
    _marks(home, marks).update(folded_at=ledger.DatabaseNow())


def _copy(home: str, message: QuarantinedMessage) -> int:
    names = [field.attname for field in message._meta.concrete_fields if not field.primary_key]
    copied = QuarantinedMessage(**{name: getattr(message, name) for name in names})
    copied.save(using=home, force_insert=True)
    return int(copied.pk)


def _mark(message: QuarantinedMessage) -> str:
    """Return an id for the ledger that is this message's alone, whoever asks and whenever."""
    moment = message.quarantined_at
    parts = (str(message.pk), message.batch_id, moment.isoformat(), message.payload)
    time = id_time(moment.timestamp())
    return time + sha256("\0".join(parts).encode()).hexdigest()[: ID_LENGTH - len(time)]


def _marks(home: str, marks: Iterable[str]) -> models.QuerySet[LedgerEntry]:
    return LedgerEntry._base_manager.using(home).filter(batch_id__in=list(marks))
