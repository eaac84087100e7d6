"""Emitting visitors, and killing folds at any moment until one comes to its end.

A process of its own: ``python -m trackable_tests.uniques.killing <seed> <processes>``.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
from collections import defaultdict

import django

django.setup()

from django.db import connections  # noqa: E402
from django.test import override_settings  # noqa: E402

from trackable.folding.collect import collect  # noqa: E402
from trackable.journal import writer  # noqa: E402
from trackable_tests.children import in_a_fork, wait_for  # noqa: E402
from trackable_tests.counting import emit, fold_until_settled  # noqa: E402
from trackable_tests.faults.deaths import die_with  # noqa: E402
from trackable_tests.folding.killing import kill  # noqa: E402
from trackable_tests.testapp.models import Page, PageVisitors  # noqa: E402
from trackable_tests.uniques.seeing import NOON, see  # noqa: E402

PAGES = [Page(pk=number) for number in range(1, 9)]
#: Few enough that no two of them have the same place in a sketch, whatever the secret.
VISITORS = 60
SEGMENTS = 30
LIVES = 12
LONGEST_SECONDS = 0.25
#: so few that there are many transactions to be killed in
COUNTERS_AT_ONCE = 40


def emit_all(dice: random.Random) -> dict[str, object]:
    """Emit views and visitors into many segments; return what a fold of them all will have."""
    views: dict[int, int] = defaultdict(int)
    visitors: dict[int, set[int]] = defaultdict(set)
    for _ in range(SEGMENTS):
        for _ in range(30):
            page, key = dice.choice(PAGES), dice.randrange(VISITORS)
            see(page, key)
            emit(page, data_cls=PageVisitors, when=NOON)
            views[page.pk] += 1
            visitors[page.pk].add(key)
        writer.seal()
    return {
        "views": sorted(views.items()),
        "visitors": sorted((pk, len(keys)) for pk, keys in visitors.items()),
        "everybody": len(set().union(*visitors.values())),
    }


def fold_all(parent: int) -> None:
    die_with(parent)
    with override_settings(TRACKABLE_FOLD_MAX_COUNTERS=COUNTERS_AT_ONCE):
        collect(wait=False)


def main(seed: int, processes: int) -> None:
    dice = random.Random(seed)
    told = emit_all(dice)
    connections.close_all()
    kills = 0
    for _ in range(LIVES):
        children = [in_a_fork(fold_all, os.getpid()) for _ in range(processes)]
        kills += kill(children, [dice.uniform(0, LONGEST_SECONDS) for _ in children])
    wait_for(in_a_fork(fold_until_settled))
    print(json.dumps({**told, "kills": kills}))


if __name__ == "__main__":
    logging.disable(logging.ERROR)  # that a fold waits for another
    main(int(sys.argv[1]), int(sys.argv[2]))
