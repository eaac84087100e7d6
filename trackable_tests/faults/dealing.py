"""Dealing: what comes first in which of several pairings, so that together they have it all. Pure.

A short run has no time for every kind of fault and every fault point.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from trackable_tests.faults.pairings import BROKER, DATABASE, Pairing


def deal(seed: int, pairings: Sequence[Pairing]) -> dict[Pairing, list[str]]:
    """Return the names of the fault points, and of servers' kinds of fault, by pairing."""
    dice = random.Random(f"{seed} dealt")
    hands: dict[Pairing, list[str]] = {pairing: [] for pairing in pairings}
    for target in (BROKER, DATABASE):
        # Files have so few kinds that they have them all anyway.
        servers = [pairing for pairing in pairings if pairing.is_server(target)]
        _deal(dice, {p: p.seconds_of_kinds(target) for p in servers}, hands)
    _deal(dice, {p: dict.fromkeys(p.points(), 1.0) for p in pairings}, hands)
    return hands


def _deal(
    dice: random.Random,
    costs: Mapping[Pairing, Mapping[str, float]],
    hands: Mapping[Pairing, list[str]],
) -> None:
    """Give each name to the one that has least, of those it has a cost in; few takers first."""
    load: defaultdict[Pairing, float] = defaultdict(float)
    names = sorted(set().union(*costs.values()))
    takers = {name: [pairing for pairing in costs if name in costs[pairing]] for name in names}
    for name in sorted(dice.sample(names, len(names)), key=lambda name: len(takers[name])):
        taker = min(takers[name], key=load.__getitem__)
        hands[taker].append(name)
        load[taker] += costs[taker][name]
