"""What processes do that tests of beacons start, and kill."""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import django

django.setup()

from trackable.contrib.beacons.models import Beacon  # noqa: E402
from trackable.folding.collect import collect  # noqa: E402
from trackable.journal import writer  # noqa: E402
from trackable.messaging import send_record  # noqa: E402
from trackable_tests.children import fold_for_ever, in_a_fork, wait_for  # noqa: E402
from trackable_tests.contrib.beacons.visits import visit_of  # noqa: E402
from trackable_tests.faults import points  # noqa: E402

# roles


def emit_for_ever(first: str) -> None:
    """Tell of each acknowledged beacon by one byte, until killed."""
    number = int(first)
    out = sys.stdout.fileno()
    while emit(number):
        os.write(out, b".")
        number += 1


def fold_under_fire(kills: str) -> None:
    """Emit while a fold runs that is killed at some moment, again and again."""
    dice = random.Random(int(kills))
    number = 0
    for _ in range(int(kills)):
        child = in_a_fork(fold_for_ever)
        end = time.monotonic() + dice.uniform(0.02, 0.2)
        while time.monotonic() < end:
            number = emit_segment(number)
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the fold has ended by itself"
    print(number)


def fold_killed_at(*names: str) -> None:
    """Have a fold killed at each of some points, and emit before each."""
    number = 0
    for name in names:
        number = emit_segment(number, times=20)
        child = in_a_fork(fold_until, name)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), f"{name} was not reached"
    print(number)


def emit_and_fold(processes: str, turns: str) -> None:
    """Emit and fold in several processes at once, whose visitors share their addresses."""
    wait_for(
        *[
            in_a_fork(emit_and_fold_in_turns, n, int(processes), int(turns))
            for n in range(int(processes))
        ]
    )


# what they are made of


def emit(number: int) -> bool:
    return send_record(None, Beacon, visit_of(number))


def emit_segment(number: int, times: int = 1) -> int:
    """Emit into a segment that nothing follows in; return the next number."""
    for each in range(number, number + times):
        assert emit(each)
    writer.seal()
    return number + times


def fold_until(name: str) -> None:
    points.arm(name, 1, points.KILL, lambda _: None)
    collect(wait=False)
    collect(wait=False)


def emit_and_fold_in_turns(turn: int, processes: int, turns: int) -> None:
    for number in range(turns):
        emit_segment((number * processes + turn) * 10, times=10)
        collect(wait=False)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
