"""The pairings of the short form together have every fault point and every kind of fault."""

from __future__ import annotations

from itertools import islice

import pytest

from trackable_tests.faults import plan
from trackable_tests.faults.dealing import deal
from trackable_tests.faults.matrix import SHORT, SHORT_KILLS, SHORT_SECONDS
from trackable_tests.faults.pairings import BROKER, DATABASE, FOLDER, PRODUCER, TARGETS, Pairing
from trackable_tests.faults.plan import Plan

#: what a plan may last longer for the sake of what it was dealt
SECONDS_MORE = 8.0

every_seed = pytest.mark.parametrize("seed", [1, 2, 3, 979278, 90210])


def plans(seed: int) -> dict[Pairing, Plan]:
    return {
        pairing: plan.make(seed, pairing, SHORT_KILLS, SHORT_SECONDS, first=names)
        for pairing, names in deal(seed, SHORT).items()
    }


@every_seed
def test_together_they_order_every_kind_of_fault(seed: int) -> None:
    ordered = {
        pairing.name_of(fault.target, fault.kind)
        for pairing, made in plans(seed).items()
        for fault in made.faults
    }
    kinds = {p.name_of(t, kind) for p in SHORT for t in TARGETS for kind in p.kinds_of(t)}
    assert ordered == kinds


@every_seed
def test_each_database_server_is_killed_and_each_broker_is_restarted_empty(seed: int) -> None:
    for pairing, made in plans(seed).items():
        assert ((DATABASE, "kill") in ordered(made)) == pairing.is_server(DATABASE)
        assert ((BROKER, "restart-empty") in ordered(made)) == pairing.has_broker


def ordered(made: Plan) -> set[tuple[str, str]]:
    return {(fault.target, fault.kind) for fault in made.faults}


@every_seed
def test_each_point_is_among_the_first_arms_of_one_pairing(seed: int) -> None:
    hands, armed = deal(seed, SHORT), set()
    for pairing, made in plans(seed).items():
        own = set(pairing.points()) & set(hands[pairing])
        for role in (PRODUCER, FOLDER):
            number = len(own & set(made.points_of(role)))
            arms = [*islice(made.arms(role), number), *made.rare_arms(role)]
            armed |= own & {arm.point for arm in arms}
    assert armed == {point for pairing in SHORT for point in pairing.points()}


@every_seed
def test_it_stays_short(seed: int) -> None:
    assert all(made.seconds < SHORT_SECONDS + SECONDS_MORE for made in plans(seed).values())


def test_nothing_is_dealt_twice() -> None:
    dealt = [name for names in deal(1, SHORT).values() for name in names]
    assert len(dealt) == len(set(dealt))
