"""Kills roll-ups from outside: ``python -m trackable_tests.rollups.killing <seed>``."""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import django

django.setup()

from django.db import connections  # noqa: E402

from trackable.rollups import portions, rolling  # noqa: E402
from trackable_tests.children import in_a_fork  # noqa: E402
from trackable_tests.faults.deaths import die_with  # noqa: E402
from trackable_tests.rollups.keeping import NOW, THREE_STEPS, options  # noqa: E402
from trackable_tests.testapp.models import PageHours  # noqa: E402

#: so few that there are many transactions to be killed in
ROWS_AT_A_TIME = 6
FIRST_SECONDS = 0.02
GROWTH = 1.2


def kill_until_done(seed: int) -> tuple[int, int]:
    """Have two processes roll up until they come to an end; kill them again and again before.

    Return how many were killed, and how often they had got on.
    """
    dice = random.Random(seed)
    kills = advances = 0
    longest_seconds, left = FIRST_SECONDS, rows()
    while True:
        children = [in_a_fork(roll_up, os.getpid()) for _ in range(2)]
        time.sleep(dice.uniform(0, longest_seconds))
        for child in children:
            os.kill(child, signal.SIGKILL)
        killed = [os.waitpid(child, 0)[1] for child in children].count(signal.SIGKILL)
        before, left = left, rows()
        kills += killed
        advances += left < before
        if killed == 0:
            return kills, advances
        longest_seconds *= GROWTH if left == before else 1 / GROWTH


def roll_up(parent: int) -> None:
    die_with(parent)
    rolling.roll_up(PageHours, now=NOW)


def rows() -> int:
    """Return how many rows there are; leave no connection for children to inherit."""
    try:
        return PageHours.objects.count()
    finally:
        connections.close_all()


if __name__ == "__main__":
    portions.ROWS_AT_A_TIME = ROWS_AT_A_TIME  # type: ignore[misc]
    PageHours.Trackable = options(THREE_STEPS)  # type: ignore[attr-defined]
    print(*kill_until_done(int(sys.argv[1])))
