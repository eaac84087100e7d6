"""Arming: which fault points the next process of a role is armed with. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from itertools import islice

from trackable_tests.faults.pairings import RARE_POINTS
from trackable_tests.faults.plan import Arm, Plan


class Arms:
    """The arms of one role, in the order of the plan; those that did not strike come again."""

    def __init__(self, plan: Plan, role: str) -> None:
        self._fresh = plan.arms(role)
        #: those whose processes have died of something else
        self._left: deque[Arm] = deque()
        #: those that one process at a time has beside another, until they have struck
        self._rare = deque(plan.rare_arms(role))

    def take(self) -> list[Arm]:
        """Return one that did not strike so far, or a new one, and a rare one if any is left."""
        first = [self._left.popleft()] if self._left else list(islice(self._fresh, 1))
        return first + ([self._rare.popleft()] if self._rare else [])

    def give_back(self, arms: Sequence[Arm], struck: Collection[str]) -> None:
        """Take the arms of a process that has died, with the points that struck in it."""
        for arm in arms:
            if arm.point not in struck:
                (self._rare if arm.point in RARE_POINTS else self._left).append(arm)
