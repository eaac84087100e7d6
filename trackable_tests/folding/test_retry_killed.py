"""A retry that is killed from outside, at any moment and again and again, counts once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from trackable.batches import Batch
from trackable.folding.engine import fold
from trackable_tests.counting import batch, counts, entry, output_of
from trackable_tests.folding.aside import again, messages, set_aside, unreadable
from trackable_tests.folding.test_records import record
from trackable_tests.testapp.models import Page, PageParentTotals, PageTotals, Visit

TOTALS = "testapp.PageTotals"
KINDS = ("sound", "by key", "in part", "unfit", "record", "unreadable")
OF_EACH = 40
#: the page that has something of each message of totals
SHARED = 1_000_000
TIMEOUT_SECONDS = 240

Sent = dict[str, dict[int, Batch]]


def a_batch(kind: str, number: int) -> Batch:
    """Return a batch whose amount is no other's, so that a loss does not make up for a double."""
    own, shared = entry(Page(pk=number), amount=number), entry(Page(pk=SHARED))
    match kind:
        case "by key":
            return batch(PageParentTotals, own)
        case "unfit":
            return batch(PageParentTotals, entry(Page(pk=SHARED + number)))
        case "record":
            return batch(Visit, record(number=number))
        case "in part":
            return batch(PageTotals, own, shared, entry(Page(pk=number), "likes"))
    return batch(PageTotals, own, shared)


def hundreds_aside() -> Sent:
    """Set messages of all kinds aside in turns; return their batches by kind and number."""
    sent: Sent = {kind: {} for kind in KINDS}
    for number, kind in enumerate(KINDS * OF_EACH, start=1):
        Page.objects.create(pk=number, slug=f"s{number}")
        sent[kind][number] = made = a_batch(kind, number)
        if kind == "unreadable":
            fold(TOTALS, [unreadable(made)])
        else:
            set_aside(made)
    return sent


def expected(sent: Sent) -> dict[str, Any]:
    totals = [*sent["sound"], *sent["in part"], *sent["unreadable"]]
    unfit = [*sent["in part"].values(), *sent["unfit"].values()]
    return {
        "totals": {number: number for number in totals} | {SHARED: len(totals)},
        "by key": {number: number for number in sent["by key"]},
        "records": [*sent["record"]],
        "aside": sorted((each.id, 1) for each in unfit),
    }


def found() -> dict[str, Any]:
    aside = [*messages(), *messages("other")]
    return {
        "totals": counts(PageTotals),
        "by key": counts(PageParentTotals),
        "records": sorted(Visit.objects.values_list("number", flat=True)),
        "aside": sorted((each.batch_id, each.increments) for each in aside),
    }


def kill_retries(environment: dict[str, str], *arguments: int) -> Any:
    command = [sys.executable, "-m", "trackable_tests.folding.killing", *map(str, arguments)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)
    return json.loads(output_of(child, timeout_seconds=TIMEOUT_SECONDS))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
@pytest.mark.parametrize(
    ("processes", "homes"),
    [(1, {}), (2, {TOTALS: "other"})],
    ids=["one", "two that move messages"],
)
def test_a_retry_killed_again_and_again_counts_each_message_once(
    processes: int,
    homes: dict[str, str],
    settings: Any,
    child_environment: Callable[..., dict[str, str]],
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # shown if it fails
    sent = hundreds_aside()
    settings.TEST_DATABASE_OF = homes
    told = kill_retries(child_environment(TEST_DATABASE_OF=homes), seed, processes)
    print(told)
    assert found() == expected(sent)
    assert told["parts"] > 0
    again()
    assert found() == expected(sent)
