"""Processes are armed with each fault point until it has struck."""

from __future__ import annotations

from itertools import islice

from trackable_tests.faults import plan
from trackable_tests.faults.arming import Arms
from trackable_tests.faults.pairings import FOLDER, Pairing
from trackable_tests.faults.plan import Plan

MADE = plan.make(1, Pairing("postgresql", "redis"), plan.KILLS)
ONE, TWO, THREE = islice(MADE.arms(FOLDER), 3)
RARE = MADE.rare_arms(FOLDER)


def with_points(*points: str) -> Plan:
    return plan.make(1, MADE.pairing, plan.KILLS, points=points)


def test_each_process_has_the_next_arm_and_a_rare_one() -> None:
    arms = Arms(MADE, FOLDER)
    assert [arms.take(), arms.take()] == [[ONE, RARE[0]], [TWO, RARE[1]]]


def test_what_did_not_strike_comes_again() -> None:
    arms = Arms(MADE, FOLDER)
    first, second = arms.take(), arms.take()
    arms.give_back(first, set())
    arms.give_back(second, {TWO.point})
    assert [arms.take()[0], arms.take()[0]] == [ONE, THREE]


def test_a_rare_one_comes_again_until_it_has_struck() -> None:
    arms = Arms(MADE, FOLDER)
    arms.give_back([ONE, RARE[0]], set())
    for _ in RARE:
        arms.take()
    assert arms.take()[1:] == [RARE[0]]
    arms.give_back([ONE, RARE[0]], {RARE[0].point})
    assert arms.take()[1:] == []


def test_a_role_without_points_is_not_armed() -> None:
    assert Arms(with_points("after-append"), FOLDER).take() == []


def test_a_plan_of_some_points_arms_with_these_alone() -> None:
    arms = Arms(with_points("before-commit", "after-commit"), FOLDER)
    found = [arm for _ in range(4) for arm in arms.take()]
    assert {arm.point for arm in found} == {"before-commit", "after-commit"}
