"""Quarantine: what cannot be folded is set aside with its reason, or dropped if so set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
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
CHUNK_SIZE: Final = 500


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
        return cls.of_batch(Batch(delta.batch_id, data_class, (entry,)), reason)

    @classmethod
    def of_batch(cls, batch: Batch, reason: str) -> Reject:
        payload = batches.encode(batch).decode("ascii")
        return cls(batch.id, batch.data_class, reason, batch.hits, payload)

    @classmethod
    def of_malformed(cls, message: Malformed) -> Reject:
        body = (
            message.body[:MAX_BODY_BYTES].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        )
        return cls(message.id, message.data_class, message.reason, 0, body)


def put(alias: str, rejects: Sequence[Reject], now: datetime) -> None:
    """Keep the rejects in the transaction at hand, or drop them if the settings say so."""
    for reject in rejects:
        logger.warning("Not counted, of batch %s: %.200s", reject.batch_id, ascii(reject.reason))
    if conf.get("REMOVE_MALFORMED_MESSAGES"):
        return
    QuarantinedMessage._base_manager.using(alias).bulk_create(
        [_kept(reject, now) for reject in rejects], batch_size=CHUNK_SIZE
    )


def _kept(reject: Reject, now: datetime) -> QuarantinedMessage:
    return QuarantinedMessage(
        batch_id=reject.batch_id,
        data_class=printable(reject.data_class, MAX_LABEL_LENGTH),
        reason=printable(reject.reason, MAX_REASON_LENGTH),
        increments=min(reject.increments, MAX_NUMBER),
        payload=reject.payload,
        quarantined_at=now,
    )


def printable(text: str, length: int) -> str:
    """Return a text that every database stores: no NUL, no half characters, not too long."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")[:length]
