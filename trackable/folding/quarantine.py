"""Quarantine: what cannot be folded is set aside with its reason, or dropped if so set."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from django.conf import settings
from django.utils import timezone

from trackable import batches, conf
from trackable.batches import Batch, Entry, Malformed
from trackable.journal.segments import TIME_LENGTH
from trackable.models import QuarantinedMessage

logger = logging.getLogger(__name__)

MAX_REASON_LENGTH: Final = 500
MAX_LABEL_LENGTH: Final = 255
#: Of a message that is no batch so much is kept: databases bound what one statement can have.
MAX_BODY_BYTES: Final = 1 << 20
MAX_NUMBER: Final = (1 << 63) - 1
#: Of one statement: databases and their connections bound it by its bytes too.
MAX_PAYLOAD_LENGTH: Final = 1 << 20
CHUNK_SIZE: Final = 500
#: Each row may have a reason of its own; the log shows the most frequent ones.
MAX_LOGGED_REASONS: Final = 10
MAX_LOGGED_LENGTH: Final = 200
#: What a reason begins with if nobody can tell any more whether the message is counted.
OLDER: Final = "older than the ledger: it may be counted already"


@dataclass(frozen=True, slots=True)
class Reject:
    """Something that is not counted: an entry, as a batch of its own, or a message as it came."""

    batch_id: str
    data_class: str
    reason: str
    increments: int
    payload: str
    entries: tuple[Entry, ...] = ()

    @classmethod
    def of_batch(cls, batch: Batch, reason: str) -> list[Reject]:
        """Return the batch, in parts if it is too long for one row."""
        payload = batches.encode(batch).decode("ascii")
        half = len(batch.counts) // 2
        if half and len(payload) > MAX_PAYLOAD_LENGTH:
            first = batch.only(set(islice(batch.counts, half)))
            others = batch.only(batch.counts.keys() - first.counts.keys())
            rest = replace(others, filtered=0, dropped=0, damaged=0)
            return [*cls.of_batch(first, reason), *cls.of_batch(rest, reason)]
        return [cls(batch.id, batch.data_class, reason, batch.hits, payload, batch.entries)]

    @classmethod
    def of_malformed(cls, message: Malformed) -> Reject:
        body = (
            message.body[:MAX_BODY_BYTES].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        )
        return cls(message.id, message.data_class, message.reason, 0, body)


def put(alias: str, rejects: Sequence[Reject], now: datetime) -> None:
    """Keep the rejects in the transaction at hand, or drop them if the settings say so."""
    log(rejects)
    if not conf.get("REMOVE_MALFORMED_MESSAGES"):
        keep(alias, [message_of(reject, now) for reject in rejects])


def keep(alias: str, messages: Sequence[QuarantinedMessage]) -> None:
    """Store messages in the transaction at hand, whatever the settings say."""
    manager = QuarantinedMessage._base_manager.using(alias)
    for chunk in _chunks(messages):
        manager.bulk_create(chunk)


def log(rejects: Sequence[Reject]) -> None:
    """Warn of what is not counted: by its most frequent reasons."""
    examples = {reject.reason[:MAX_LOGGED_LENGTH]: reject.batch_id for reject in rejects}
    numbers = Counter(reject.reason[:MAX_LOGGED_LENGTH] for reject in rejects)
    shown = numbers.most_common(MAX_LOGGED_REASONS)
    for reason, number in shown:
        logger.warning(
            "Not counted, %d of batch %s or others: %s", number, examples[reason], ascii(reason)
        )
    if left := len(rejects) - sum(number for _, number in shown):
        logger.warning("Not counted, %d for %d other reasons", left, len(numbers) - len(shown))


def _chunks(kept: Sequence[QuarantinedMessage]) -> Iterator[list[QuarantinedMessage]]:
    chunk: list[QuarantinedMessage] = []
    length = 0
    for each in kept:
        length += len(each.payload)
        if chunk and (length > MAX_PAYLOAD_LENGTH or len(chunk) == CHUNK_SIZE):
            yield chunk
            chunk, length = [], len(each.payload)
        chunk.append(each)
    if chunk:
        yield chunk


def message_of(reject: Reject, quarantined_at: datetime) -> QuarantinedMessage:
    """Return a reject as it is stored: cut to what a row can hold."""
    return QuarantinedMessage(
        batch_id=reject.batch_id,
        data_class=storable(reject.data_class, MAX_LABEL_LENGTH),
        reason=storable(reject.reason, MAX_REASON_LENGTH),
        increments=min(reject.increments, MAX_NUMBER),
        payload=reject.payload[:MAX_PAYLOAD_LENGTH],
        quarantined_at=quarantined_at,
    )


def opened_at(message: QuarantinedMessage) -> datetime | None:
    """Return when the segment was opened that a message is of; ``None`` if it was no batch."""
    try:
        milliseconds = int(message.batch_id[:TIME_LENGTH], 16)
        moment = timezone.localtime(datetime.fromtimestamp(milliseconds / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None
    if not milliseconds:
        return None
    return moment if settings.USE_TZ else timezone.make_naive(moment)


def storable(text: str, length: int) -> str:
    """Return a text that every database stores: no NUL, no half characters, not too long."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")[:length]
