"""Quarantine: what cannot be folded is set aside with its reason, or dropped if so set."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from trackable import batches, conf
from trackable.batches import Batch, Entry, Malformed
from trackable.folding.aggregate import Delta, RowKey
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


@dataclass(frozen=True, slots=True)
class Reject:
    """Something that is not counted: an entry, as a batch of its own, or a message as it came."""

    batch_id: str
    data_class: str
    reason: str
    increments: int
    payload: str

    @classmethod
    def of_delta(
        cls, data_class: str, origin: RowKey, field: str, delta: Delta, reason: str
    ) -> Reject:
        entry = Entry(*origin, field, delta.amount, delta.hits)
        [reject] = cls.of_batch(Batch(delta.batch_id, data_class, (entry,)), reason)
        return reject

    @classmethod
    def of_batch(cls, batch: Batch, reason: str) -> list[Reject]:
        """Return the batch, in parts if it is too long for one row."""
        payload = batches.encode(batch).decode("ascii")
        half = len(batch.entries) // 2
        if half and len(payload) > MAX_PAYLOAD_LENGTH:
            first = replace(batch, entries=batch.entries[:half])
            rest = replace(batch, entries=batch.entries[half:], filtered=0, dropped=0)
            return [*cls.of_batch(first, reason), *cls.of_batch(rest, reason)]
        return [cls(batch.id, batch.data_class, reason, batch.hits, payload)]

    @classmethod
    def of_malformed(cls, message: Malformed) -> Reject:
        body = (
            message.body[:MAX_BODY_BYTES].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        )
        return cls(message.id, message.data_class, message.reason, 0, body)


def put(alias: str, rejects: Sequence[Reject], now: datetime) -> None:
    """Keep the rejects in the transaction at hand, or drop them if the settings say so."""
    _log(rejects)
    if conf.get("REMOVE_MALFORMED_MESSAGES"):
        return
    manager = QuarantinedMessage._base_manager.using(alias)
    for chunk in _chunks([_kept(reject, now) for reject in rejects]):
        manager.bulk_create(chunk)


def _log(rejects: Sequence[Reject]) -> None:
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


def _kept(reject: Reject, now: datetime) -> QuarantinedMessage:
    return QuarantinedMessage(
        batch_id=reject.batch_id,
        data_class=printable(reject.data_class, MAX_LABEL_LENGTH),
        reason=printable(reject.reason, MAX_REASON_LENGTH),
        increments=min(reject.increments, MAX_NUMBER),
        payload=reject.payload[:MAX_PAYLOAD_LENGTH],
        quarantined_at=now,
    )


def printable(text: str, length: int) -> str:
    """Return a text that every database stores: no NUL, no half characters, not too long."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")[:length]
