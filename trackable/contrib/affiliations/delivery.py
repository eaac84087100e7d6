"""Delivery: each call that a partner is owed is made at least once, and by one worker at a time.

An attempt begins with a claim, which is committed before the call: the callback is not due again
until a lease has ended. So a worker that dies leaves no more behind than an attempt without an
answer, and another one takes over.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from trackable.contrib.affiliations import backoff, conf
from trackable.contrib.affiliations.announcing import announce
from trackable.contrib.affiliations.models import Attempt, Callback
from trackable.folding.chunks import chunked

if TYPE_CHECKING:
    from trackable.contrib.affiliations.sending import Answer

# What calls, and what commits again, is imported where it is used: triggers need none of it.

__all__ = ["announce", "claim", "database", "deliver", "due", "record", "retry"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
State = Callback.State

#: A worker that is not back so long after the time-out of its call is taken for dead.
LEASE_MARGIN_SECONDS: Final = 60.0
#: Few enough for the parameters of one statement in every database.
AT_A_TIME: Final = 500
#: With it a partner says that there will never be anything again.
GONE: Final = 410
#: What an attempt says until there is an answer.
UNENDED: Final = "no answer is known: its worker has not come back"
INACTIVE: Final = "not called: the partner is not active"
EXHAUSTED: Final = "not called: there were as many attempts as there may be"


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that has begun. Its number tells it from those of other workers."""

    callback: Callback
    attempt_id: int
    number: int


def database() -> str:
    """Return the alias of the database that has the callbacks."""
    return router.db_for_write(Callback)


def due(using: str, *, by: datetime | None = None) -> QuerySet[Callback]:
    """Return the callbacks to be tried by a time, or now; those that wait longest come first."""
    rows = Callback._base_manager.using(using)
    return rows.filter(state=State.PENDING, due_at__lte=by or timezone.now()).order_by("due_at")


def deliver(pk: int, using: str | None = None) -> Answer | None:
    """Make one attempt at a callback if it is due, write down what came of it, and return that.

    ``None`` if there was no call: it is not due, it is given up, or another worker has it. Raises
    what Django raises.
    """
    sending = _sending()
    found = claim(pk, using=using or database())
    if found is None:
        return None
    callback = found.callback
    secret = callback.visitor.partner.secret
    answer: Answer = sending.call(callback.url, key=str(callback.key), secret=secret)
    record(found, answer)
    return answer


def claim(pk: int, *, using: str) -> Claim | None:
    """Begin an attempt; ``None`` if the callback is not due, is given up or was claimed."""
    callback = due(using).select_related("visitor__partner").filter(pk=pk).first()
    if callback is None:
        return None
    reason = _obstacle(callback)
    return _committed(using, lambda: _begin(callback, reason))


def record(claim: Claim, answer: Answer) -> None:
    """Write down what came of an attempt."""
    callback, using = claim.callback, str(claim.callback._state.db)

    def end() -> None:
        with transaction.atomic(using=using):
            # First the callback, as in an erasure: the other way round they could deadlock.
            if answer.is_success:
                rows = Callback._base_manager.using(using).filter(pk=callback.pk)
                rows.update(state=State.DELIVERED, delivered_at=timezone.now())
            else:
                _still(callback, claim.number).update(**_after_failure(claim, answer))
            Attempt._base_manager.using(using).filter(pk=claim.attempt_id).update(
                status_code=answer.status, error=answer.error, duration_ms=answer.duration_ms
            )

    _committed(using, end)
    outcome = answer.error or "delivered"
    logger.info("Callback %s, attempt %d: %s", callback.pk, claim.number, outcome)


def retry(callbacks: QuerySet[Callback]) -> int:
    """Have callbacks tried again from now on, and return how many.

    Those that were given up have all their attempts again. Not those that are delivered or are
    being called, and not those of visitors who were erased.
    """
    using = callbacks.db
    found = callbacks.filter(visitor__erased_on=None).exclude(state=State.DELIVERED)
    keys = found.order_by().values_list("pk", flat=True)
    number = 0
    for chunk in chunked(list(keys), AT_A_TIME):
        rows = Callback._base_manager.using(using).filter(pk__in=chunk)
        ended = rows.filter(state__in=[State.FAILED, State.REFUSED])
        with transaction.atomic(using=using):
            number += _waiting(rows).update(due_at=timezone.now())
            number += ended.update(state=State.PENDING, due_at=timezone.now(), attempts_made=0)
        for pk in chunk:
            transaction.on_commit(partial(announce, pk, using=using), using=using)
    return number


def _waiting(rows: QuerySet[Callback]) -> QuerySet[Callback]:
    """Return those of some callbacks that are pending, and that no worker is calling.

    They are locked until the end of the transaction at hand: no call begins meanwhile.
    """
    pending = rows.filter(state=State.PENDING)
    pending.update(state=State.PENDING)  # locks in every database, and changes nothing
    called = Attempt._base_manager.using(rows.db).filter(
        callback=OuterRef("pk"), error=UNENDED, made_at__gt=timezone.now() - _lease()
    )
    return pending.filter(~Exists(called))


def _begin(callback: Callback, reason: str) -> Claim | None:
    """Take a callback for this worker, or give it up for a reason; in a transaction."""
    now, using = timezone.now(), str(callback._state.db)
    number = callback.attempts_made + 1
    changes: dict[str, Any] = {"attempts_made": number, "due_at": now + _lease()}
    if reason:
        changes = {"state": State.FAILED}
    with transaction.atomic(using=using):
        if not _still(callback, callback.attempts_made).update(**changes):
            return None
        attempt = Attempt(callback=callback, made_at=now, error=reason or UNENDED)
        attempt.save(using=using)
    return None if reason else Claim(callback, attempt.pk, number)


def _sending() -> ModuleType:
    try:
        from trackable.contrib.affiliations import sending
    except ImportError as error:
        raise ImproperlyConfigured(
            "Callbacks need urllib3: pip install 'trackable[affiliations]'."
        ) from error
    return sending


def _obstacle(callback: Callback) -> str:
    """Return why a callback is to be given up without a call; nothing if it is not."""
    if not callback.visitor.partner.active:
        return INACTIVE
    is_exhausted = callback.attempts_made >= conf.get("CALLBACK_ATTEMPTS")
    return EXHAUSTED if is_exhausted else ""


def _lease() -> timedelta:
    return timedelta(seconds=float(conf.get("CALLBACK_TIMEOUT")) + LEASE_MARGIN_SECONDS)


def _still(callback: Callback, attempts_made: int) -> QuerySet[Callback]:
    """Return the callback as a queryset: empty once another worker has it, or it has ended."""
    rows = Callback._base_manager.using(callback._state.db)
    return rows.filter(pk=callback.pk, state=State.PENDING, attempts_made=attempts_made)


def _after_failure(claim: Claim, answer: Answer) -> dict[str, Any]:
    if answer.is_refused:
        return {"state": State.REFUSED}
    if answer.status == GONE or claim.number >= conf.get("CALLBACK_ATTEMPTS"):
        return {"state": State.FAILED}
    seconds = backoff.pause_seconds(
        claim.number,
        asked_seconds=answer.retry_after_seconds,
        dice=random.random(),  # noqa: S311
    )
    return {"due_at": timezone.now() + timedelta(seconds=seconds)}


def _committed(using: str, action: Callable[[], T]) -> T:
    from trackable.folding.engine import try_until_committed

    return try_until_committed(using, "The delivery of a callback", action)
