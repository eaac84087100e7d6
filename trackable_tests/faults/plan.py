"""The plan of a run: which faults, when and with what numbers. Pure: the seed decides.

The same seed gives the same plan; what it hits depends on the moment, as faults do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from trackable_tests.faults.pairings import (
    BROKER,
    DATABASE,
    FOLDER,
    PAUSE_SECONDS,
    PROCESS_KINDS,
    PRODUCER,
    RARE_POINTS,
    TARGETS,
    Pairing,
)

T = TypeVar("T")

#: what is killed in a run, unless it is told otherwise, and how fast
KILLS: Final = 100
KILLS_PER_SECOND: Final = 3.0
#: the share of the arms that stop their process instead of killing it
STOPS: Final = 0.25
#: how often each rare point is to strike
RARE_ROUNDS: Final = 2
CUT_AFTER_BYTES: Final = (1, 30_000)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is done to a target from outside, so many seconds after the start."""

    at: float
    target: str
    kind: str
    seconds: float = 0.0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Arm:
    """A fault point, and at which pass of it a process kills or stops itself."""

    point: str
    occurrence: int
    action: str


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    pairing: Pairing
    kills: int
    seconds: float
    faults: tuple[Fault, ...]
    #: the fault points that are used, if not all are
    points: tuple[str, ...] = ()
    #: the fault points and kinds of fault that come before all others
    first: tuple[str, ...] = ()

    def arms(self, role: str) -> Iterator[Arm]:
        """Yield without end what the starts of a role's processes are armed with."""
        common = {n: m for n, m in self.points_of(role).items() if n not in RARE_POINTS}
        return self._arms(role, common)

    def rare_arms(self, role: str) -> list[Arm]:
        """Return what they are armed with besides, one after another until each has struck."""
        rare = {n: m for n, m in self.points_of(role).items() if n in RARE_POINTS}
        return list(islice(self._arms(role, rare), len(rare) * RARE_ROUNDS))

    def _arms(self, role: str, points: dict[str, int]) -> Iterator[Arm]:
        dice = random.Random(f"{self.seed} {self.pairing} arms of {role} at {len(points)} points")
        for name in in_shuffled_rounds(dice, list(points), self.first):
            action = "stop" if dice.random() < STOPS else "kill"
            yield Arm(name, dice.randint(1, points[name]), action)

    def points_of(self, role: str) -> dict[str, int]:
        """Return the fault points that are used in a role, each with its most passes."""
        points = self.pairing.points_of(role)
        return {name: points[name] for name in self.points or points if name in points}

    def of(self, *targets: str) -> list[Fault]:
        return [fault for fault in self.faults if fault.target in targets]


def make(
    seed: int,
    pairing: Pairing,
    kills: int,
    seconds: float | None = None,
    *,
    targets: Sequence[str] = TARGETS,
    points: Sequence[str] = (),
    first: Sequence[str] = (),
) -> Plan:
    """Plan a run. Without ``seconds`` it is long enough for each kind of fault.

    ``targets`` are those that have faults from outside, ``points`` the fault points that are
    used (all, if none is given). What comes ``first`` is had even if that takes more seconds.
    """
    servers = [target for target in (BROKER, DATABASE) if target in targets]
    wanted = pairing.names() if seconds is None else first
    needed = [_seconds_needed(seed, pairing, target, first, wanted) for target in servers]
    seconds = max([seconds or kills / KILLS_PER_SECOND, *needed])
    faults = [
        fault
        for target in servers
        for fault in _server_faults(seed, pairing, target, first, seconds)
    ]
    faults += [f for f in _process_faults(seed, pairing, seconds) if f.target in targets]
    faults.sort(key=lambda fault: fault.at)
    return Plan(seed, pairing, kills, seconds, tuple(faults), tuple(points), tuple(first))


def _seconds_needed(
    seed: int, pairing: Pairing, target: str, first: Sequence[str], wanted: Sequence[str]
) -> float:
    """Return how long it takes until the kinds of fault of a server that are wanted were had."""
    number = sum(pairing.name_of(target, kind) in wanted for kind in pairing.kinds_of(target))
    found = list(islice(_server_faults(seed, pairing, target, first, float("inf")), number))
    return found[-1].at + 1.0 if found else 0.0


def _server_faults(
    seed: int, pairing: Pairing, target: str, first: Sequence[str], seconds: float
) -> Iterator[Fault]:
    """Yield faults of one server, one after another."""
    dice = random.Random(f"{seed} {pairing} faults of {target}")
    kinds = pairing.kinds_of(target)
    at = 1.0
    soon = [kind for kind in kinds if pairing.name_of(target, kind) in first]
    for kind in in_shuffled_rounds(dice, list(kinds), soon):
        at += dice.uniform(*PAUSE_SECONDS)
        if at >= seconds:
            return
        duration = dice.uniform(*kinds[kind])
        yield Fault(round(at, 3), target, kind, round(duration, 3), dice.randint(*CUT_AFTER_BYTES))
        at += duration + pairing.recovery_seconds(target, kind)


def _process_faults(seed: int, pairing: Pairing, seconds: float) -> Iterator[Fault]:
    dice = random.Random(f"{seed} {pairing} faults of processes")
    both = [(role, kind) for role in (PRODUCER, FOLDER) for kind in PROCESS_KINDS]
    at = 0.5
    for role, kind in in_shuffled_rounds(dice, both):
        at += dice.uniform(0.5, 2.5)
        if at >= seconds:
            return
        duration = dice.uniform(*PROCESS_KINDS[kind])
        yield Fault(round(at, 3), role, kind, round(duration, 3), dice.randrange(1000))


def in_shuffled_rounds(
    dice: random.Random, items: Sequence[T], first: Sequence[T] = ()
) -> Iterator[T]:
    """Yield items without end: all of them in some order, then all of them in another.

    Those that come ``first`` do so in the first round.
    """
    soon = [item for item in items if item in first]
    yield from dice.sample(soon, len(soon))
    others = [item for item in items if item not in soon]
    yield from dice.sample(others, len(others))
    while items:
        yield from dice.sample(items, len(items))
