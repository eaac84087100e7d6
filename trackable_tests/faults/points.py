"""Fault points: the named places between two steps at which a process is killed or stopped.

Each wraps a function of trackable's (or Django's commit) in the process that is to die, so that
nothing in trackable knows of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from trackable import settling, shipping
from trackable.broker import Broker, Claim
from trackable.folding import collect as collecting
from trackable.folding import ledger, upsert
from trackable.journal import segments
from trackable.journal.segments import FOLDED, SEALED, SHIPPED, Segment
from trackable.journal.writer import Writer

BEFORE, AFTER = "before", "after"
KILL, STOP = "kill", "stop"
SIGNALS: Final = {KILL: signal.SIGKILL, STOP: signal.SIGSTOP}

Condition = Callable[..., bool]


@dataclass(frozen=True, slots=True)
class Point:
    """One side of a function, where its arguments are such."""

    owner: Any
    name: str
    side: str
    condition: Condition = lambda *_args, **_options: True


def to(state: str) -> Condition:
    return lambda _segment, target: bool(target == state)


def is_resent(segment: Segment, target: str) -> bool:
    return segment.state in (SHIPPED, FOLDED) and target == SEALED


def is_folded(segment: Segment) -> bool:
    return segment.state == FOLDED


POINTS: Final[dict[str, Point]] = {
    # emitting
    "before-append": Point(Writer, "_write", BEFORE),
    "after-append": Point(Writer, "append", AFTER),
    "before-sealing": Point(segments, "seal", BEFORE),
    "after-sealing": Point(segments, "seal", AFTER),
    # shipping
    "before-publish": Point(Broker, "publish", BEFORE),
    "after-confirmation": Point(Broker, "publish", AFTER),
    "before-shipped": Point(Segment, "become", BEFORE, to(SHIPPED)),
    "after-shipped": Point(Segment, "become", AFTER, to(SHIPPED)),
    # folding
    "after-flush": Point(shipping, "flush", AFTER),
    "before-queue-claim": Point(Broker, "claim", BEFORE),
    "after-queue-claim": Point(Broker, "claim", AFTER),
    "before-ledger": Point(ledger, "claim", BEFORE),
    "between-ledger-and-upsert": Point(ledger, "claim", AFTER),
    "before-upsert": Point(upsert, "add", BEFORE),
    "between-upserts": Point(upsert, "_subtract", BEFORE),
    "after-upsert": Point(upsert, "add", AFTER),
    "before-commit": Point(BaseDatabaseWrapper, "_commit", BEFORE),
    "after-commit": Point(BaseDatabaseWrapper, "_commit", AFTER),
    "before-acks": Point(collecting, "fold", AFTER),
    "before-ack": Point(Claim, "ack", BEFORE),
    "after-ack": Point(Claim, "ack", AFTER),
    # settling
    "before-settle": Point(settling, "settle", BEFORE),
    "after-settle": Point(settling, "settle", AFTER),
    "before-folded": Point(Segment, "become", BEFORE, to(FOLDED)),
    "after-folded": Point(Segment, "become", AFTER, to(FOLDED)),
    "before-resending": Point(Segment, "become", BEFORE, is_resent),
    "after-resending": Point(Segment, "become", AFTER, is_resent),
    "before-removal": Point(Segment, "remove", BEFORE, is_folded),
    "after-removal": Point(Segment, "remove", AFTER, is_folded),
    "before-pruning": Point(ledger, "prune_all", BEFORE),
    "after-pruning": Point(ledger, "prune_all", AFTER),
}


def arm(name: str, occurrence: int, action: str, tell: Callable[[str], None]) -> None:
    """Have this process kill or stop itself when it comes to a point for that many times.

    Tells of it just before. A process that was stopped goes on from there; forks do not strike.
    """
    point = POINTS[name]
    real = getattr(point.owner, point.name)
    passes, pid = count(1), os.getpid()

    def is_armed(*args: Any, **options: Any) -> bool:
        return os.getpid() == pid and point.condition(*args, **options)

    def strike(*args: Any, **options: Any) -> None:
        if is_armed(*args, **options) and next(passes) == occurrence:
            tell(f"fired {name} {action}")
            os.kill(os.getpid(), SIGNALS[action])

    def act(*args: Any, **options: Any) -> Any:
        if point.side == BEFORE:
            strike(*args, **options)
        result = real(*args, **options)
        if point.side == AFTER:
            strike(*args, **options)
        return result

    setattr(point.owner, point.name, act)
