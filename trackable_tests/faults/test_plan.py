"""A plan is decided by its seed, and leaves nothing out that its pairing has."""

from __future__ import annotations

import random
from itertools import islice, pairwise

import pytest

from trackable_tests.faults import pairings, plan, points
from trackable_tests.faults.pairings import (
    BROKER,
    BROKERS,
    DATABASE,
    DATABASES,
    FOLDER,
    PRODUCER,
    Pairing,
)
from trackable_tests.faults.plan import KILLS
from trackable_tests.faults.sabotage import SABOTAGES

PAIRINGS = [Pairing(database, broker) for database in DATABASES for broker in BROKERS]
SEEDS = [1, 2, 3]

every_pairing = pytest.mark.parametrize("pairing", PAIRINGS, ids=str)


@every_pairing
@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_has_every_kind_of_fault(pairing: Pairing, seed: int) -> None:
    made = plan.make(seed, pairing, KILLS)
    for target in pairings.TARGETS:
        planned = {fault.kind for fault in made.of(target)}
        assert planned == set(pairing.kinds_of(target))


@every_pairing
@pytest.mark.parametrize("role", [PRODUCER, FOLDER])
def test_processes_are_armed_with_every_fault_point_in_turn(pairing: Pairing, role: str) -> None:
    made, expected = plan.make(1, pairing, KILLS), pairing.points_of(role)
    common, rare = expected.keys() - pairings.RARE_POINTS, expected.keys() & pairings.RARE_POINTS
    arms = list(islice(made.arms(role), 3 * len(common)))
    for start in range(0, len(arms), len(common)):
        assert {arm.point for arm in arms[start : start + len(common)]} == common
    assert {arm.point for arm in made.rare_arms(role)} == rare
    assert all(1 <= arm.occurrence <= expected[arm.point] for arm in arms)
    assert {arm.action for arm in arms} == {points.KILL, points.STOP}


@every_pairing
def test_faults_of_one_server_follow_one_another(pairing: Pairing) -> None:
    made = plan.make(1, pairing, KILLS)
    for target in (BROKER, DATABASE):
        faults = made.of(target)
        for fault, following in pairwise(faults):
            assert following.at > fault.at + fault.seconds


def test_the_seed_decides() -> None:
    pairing = Pairing("postgresql", "redis")
    one, again, other = (plan.make(seed, pairing, KILLS) for seed in (1, 1, 2))
    assert one == again
    assert list(islice(one.arms(FOLDER), 50)) == list(islice(again.arms(FOLDER), 50))
    assert one.faults != other.faults
    assert list(islice(one.arms(FOLDER), 50)) != list(islice(other.arms(FOLDER), 50))


def test_a_plan_keeps_to_its_seconds() -> None:
    made = plan.make(1, Pairing("postgresql", "redis"), KILLS, 10.0)
    assert made.seconds == 10.0
    assert made.faults
    assert all(fault.at < 10.0 for fault in made.faults)


def test_without_a_broker_nothing_is_shipped() -> None:
    pairing = Pairing("sqlite", pairings.NO_BROKER)
    assert pairing.kinds_of(BROKER) == {}
    assert not {"after-confirmation", "after-queue-claim"} & set(pairing.points_of(FOLDER))


def test_files_cannot_be_killed() -> None:
    assert set(Pairing("sqlite", "filesystem").kinds_of(BROKER)) == {"flush", "restart-empty"}
    assert set(Pairing("sqlite", "filesystem").kinds_of(DATABASE)) == {"fail-over"}


def test_every_named_point_is_somewhere_in_trackable_and_in_the_plans() -> None:
    pairing = Pairing("postgresql", "redis")
    planned = {*pairing.points_of(PRODUCER), *pairing.points_of(FOLDER)}
    assert planned == set(points.POINTS)
    for point in points.POINTS.values():
        assert callable(getattr(point.owner, point.name))


def test_sabotages_name_points_and_targets_that_there_are() -> None:
    for sabotage in SABOTAGES.values():
        assert set(sabotage.points) <= set(points.POINTS)
        assert set(sabotage.targets) <= set(pairings.TARGETS)


def test_what_comes_first_is_planned_even_if_there_is_no_time() -> None:
    pairing = Pairing("mariadb", "rabbitmq")
    first = ("rabbitmq restart-empty", "mariadb kill", "database freeze", "before-acks")
    made = plan.make(1, pairing, KILLS, 1.0, first=first)
    assert {fault.kind for fault in made.of(DATABASE)[:2]} == {"kill", "freeze"}
    assert made.of(BROKER)[0].kind == "restart-empty"
    assert next(made.arms(FOLDER)).point == "before-acks"


def test_rounds_leave_nothing_out() -> None:
    found = list(islice(plan.in_shuffled_rounds(random.Random(1), "abc"), 9))
    assert [sorted(found[start : start + 3]) for start in (0, 3, 6)] == [["a", "b", "c"]] * 3
    assert list(plan.in_shuffled_rounds(random.Random(1), "")) == []


def test_a_first_round_begins_with_what_comes_first() -> None:
    found = list(islice(plan.in_shuffled_rounds(random.Random(1), "abcd", "xca"), 4))
    assert (sorted(found[:2]), sorted(found[2:])) == (["a", "c"], ["b", "d"])
