"""Kills retries from outside: ``python -m trackable_tests.folding.killing <seed> <processes>``."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time

import django

django.setup()

from django.core.management import CommandError, call_command, load_command_class  # noqa: E402
from django.db import connections  # noqa: E402

from trackable.folding import retry as retrying  # noqa: E402
from trackable.models import QuarantinedMessage  # noqa: E402
from trackable_tests.children import in_a_fork  # noqa: E402
from trackable_tests.faults.deaths import die_with  # noqa: E402

#: so few that there are many transactions to be killed in
MESSAGES_AT_ONCE = 6
#: How long a retry lives at most; more after one that came to nothing new, else less.
FIRST_SECONDS = 0.02
GROWTH = 1.2


def kill_until_done(seed: int, processes: int) -> dict[str, int]:
    """Have the quarantine retried by processes that are killed, until one comes to its end.

    Return how many were killed, and how often they had tried a part of what was left.
    """
    dice = random.Random(seed)
    told = {"kills": 0, "parts": 0}
    longest_seconds, left = FIRST_SECONDS, untried()
    while True:
        children = [in_a_fork(retry, os.getpid()) for _ in range(processes)]
        kills = kill(children, [dice.uniform(0, longest_seconds) for _ in children])
        before, left = left, untried()
        told["kills"] += kills
        told["parts"] += 0 < left < before
        if kills < processes:
            return told
        longest_seconds *= GROWTH if left == before else 1 / GROWTH


def retry(parent: int) -> None:
    die_with(parent)
    try:
        call_command("trackable_quarantine", "retry", verbosity=0)
    except CommandError as error:
        if "came back" not in str(error):
            raise


def kill(children: list[int], moments_seconds: list[float]) -> int:
    """Kill each child at its moment; return how many had not come to their end by then."""
    begun = time.monotonic()
    for moment_seconds, child in sorted(zip(moments_seconds, children, strict=True)):
        time.sleep(max(begun + moment_seconds - time.monotonic(), 0))
        os.kill(child, signal.SIGKILL)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    assert {*statuses} <= {0, signal.SIGKILL}, statuses
    return statuses.count(signal.SIGKILL)


def untried() -> int:
    """Return how many messages nobody has tried; leave no connection for children to inherit."""
    try:
        return QuarantinedMessage.objects.filter(retried_at=None).count()
    finally:
        connections.close_all()


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # that things are not counted
    retrying.MAX_MESSAGES = MESSAGES_AT_ONCE  # type: ignore[misc]
    # Imported once, and not in every fork. It does not run here: forks would share a bar's lock.
    load_command_class("trackable", "trackable_quarantine")
    print(json.dumps(kill_until_done(int(sys.argv[1]), int(sys.argv[2]))))
