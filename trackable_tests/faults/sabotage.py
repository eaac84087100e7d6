"""Sabotages: ways to break trackable that a run must notice, each applied in its processes.

What a run cannot catch it does not prove.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from trackable_tests.faults.pairings import Pairing

VARIABLE: Final = "TRACKABLE_FAULTS_SABOTAGE"
#: the alias of a second connection to the database
APART: Final = "apart"
NO_RESENDING: Final = {"RESEND_AFTER": 1e9}

Patch = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Sabotage:
    """What is broken, and the run that catches it quickly."""

    patch: Patch
    pairing: Pairing
    #: the targets that have faults, and the fault points that folders and producers are armed with
    targets: tuple[str, ...]
    points: tuple[str, ...]
    kills: int = 15
    seconds: float = 4.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_healed: bool = False


def nothing() -> None:
    """Nothing is broken: for what the settings alone do."""


def no_ledger() -> None:
    """Nothing is entered, and everything is new."""
    from trackable.folding import ledger

    ledger.claim = lambda _alias, group: {item.id for item in group}


def ledger_apart() -> None:
    """The ledger's rows are committed before the counters'."""
    from trackable.folding import ledger

    claim = ledger.claim
    ledger.claim = lambda _alias, group: claim(APART, group)


def removed_once_published() -> None:
    """A segment goes as soon as the broker has confirmed it."""
    from trackable.journal.segments import SHIPPED, Segment

    become = Segment.become

    def act(segment: Segment, state: str) -> Segment | None:
        if state != SHIPPED:
            return become(segment, state)
        segment.remove()
        return None

    Segment.become = act  # type: ignore[method-assign]


def ack_before_commit() -> None:
    """Messages are acknowledged before they are folded."""
    from trackable.broker import Claim
    from trackable.folding.collect import _Collector

    fold = _Collector._fold

    def act(collector: Any, taken: Sequence[Claim]) -> None:
        for claim in taken:
            claim.ack()
        fold(collector, [replace(claim, message=None) for claim in taken])

    _Collector._fold = act  # type: ignore[method-assign, assignment]


def other_id() -> None:
    """A batch that was published before is published under another id."""
    from trackable import conf
    from trackable.batches import Batch
    from trackable.broker import Broker

    publish = Broker.publish

    def act(broker: Broker, batch: Batch) -> None:
        marker = conf.journal_dir() / f"published-{batch.id}"
        if marker.exists():
            batch = replace(batch, id=batch.id[:-12] + os.urandom(6).hex())
        publish(broker, batch)
        marker.touch()

    Broker.publish = act  # type: ignore[method-assign]


BEFORE_COMMIT: Final = (
    "between-ledger-and-upsert",
    "before-upsert",
    "between-upserts",
    "after-upsert",
    "before-commit",
)

SABOTAGES: Final[dict[str, Sabotage]] = {
    "no-ledger": Sabotage(
        no_ledger, Pairing(), ("producer", "folder"), ("after-commit", "before-settle")
    ),
    "ledger-apart": Sabotage(ledger_apart, Pairing(), ("producer", "folder"), BEFORE_COMMIT),
    "removed-once-published": Sabotage(
        removed_once_published,
        Pairing(broker="redis"),
        ("broker",),
        ("after-queue-claim", *BEFORE_COMMIT),
    ),
    "ack-before-commit": Sabotage(
        ack_before_commit,
        Pairing(broker="rabbitmq"),
        (),
        BEFORE_COMMIT,
        settings=NO_RESENDING,
    ),
    # RabbitMQ gives back what was claimed and not acknowledged, so that it needs no re-sending ...
    "no-resending": Sabotage(
        nothing,
        Pairing(broker="rabbitmq"),
        (),
        BEFORE_COMMIT,
        settings=NO_RESENDING,
        is_healed=True,
    ),
    # ... and re-sending makes good for whoever acknowledges too early.
    "ack-before-commit-and-resent": Sabotage(
        ack_before_commit, Pairing(broker="redis"), (), BEFORE_COMMIT, is_healed=True
    ),
    "other-id": Sabotage(
        other_id, Pairing(broker="redis"), ("broker",), ("after-commit", "before-ack")
    ),
}


def apply(name: str | None) -> None:
    """Break trackable in this process and those that it forks."""
    if name:
        from trackable import shipping

        # A shipper that overtakes another publishes twice, and so heals what is to be seen.
        shipping.OVERDUE_SECONDS = float("inf")  # type: ignore[misc]
        SABOTAGES[name].patch()
