"""Folds of visitors that are stopped or killed anywhere are made up for by the next one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import OperationalError, connection

from trackable.broker import Claim
from trackable.folding import collect as collecting
from trackable.folding import engine, ledger, quarantine, rows, upsert
from trackable.folding.engine import fold
from trackable.messaging import process_messages
from trackable.models import UniqueSecret
from trackable.uniques import rotations, sketches, writing
from trackable_tests.counting import (
    Crash,
    a_page,
    counts,
    emit,
    fold_until_settled,
    output_of,
    reasons,
    through_brokers,
)
from trackable_tests.folding import tracing
from trackable_tests.folding.failing import AFTER, BEFORE, Step, name_of, raising, stop_at
from trackable_tests.testapp.models import Page, PageVisitors
from trackable_tests.uniques.seeing import (
    DAY,
    LABEL,
    NOON,
    see,
    seen,
    united,
    viewed,
    visit,
    visitors,
)

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)

TODAY = date.fromisoformat(DAY)
TIMEOUT_SECONDS = 240

STEPS: list[Step] = [
    (ledger, "claim", 1, AFTER),
    (rotations, "secret_of", 1, BEFORE),
    (rotations, "secret_of", 1, AFTER),
    (upsert, "add", 1, AFTER),
    (writing, "_find", 1, AFTER),
    (writing, "_update", 1, BEFORE),
    (writing, "_write", 1, BEFORE),
    (writing, "_write", 1, AFTER),
    (quarantine, "put", 1, AFTER),
    (collecting, "fold", 1, AFTER),  # committed, and not acknowledged
    (Claim, "ack", 1, BEFORE),
]


def stop_and_compare(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    one, other = a_page("one"), a_page("other")
    for keys in (("ana", "ben"), ("ben", "cem")):
        see(one, *keys)
        emit(one, data_cls=PageVisitors, when=NOON)
        see(other, "ana")
    with monkeypatch.context() as stopped:
        stop_at(stopped, *step)
        with pytest.raises(Crash):
            process_messages()
    fold_until_settled()
    assert visitors() == {(one.pk, TODAY): 3, (other.pk, TODAY): 1}
    assert counts(PageVisitors) == {(one.pk, TODAY): 2, (other.pk, TODAY): 0}
    assert united() == 3
    assert (UniqueSecret.objects.count(), reasons()) == (1, [])


@pytest.mark.parametrize("step", STEPS, ids=name_of)
def test_a_fold_that_is_stopped_is_made_up_for(step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_and_compare(monkeypatch, step)


@through_brokers
def test_a_fold_that_did_not_acknowledge_is_made_up_for(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_and_compare(monkeypatch, (collecting, "fold", 1, AFTER))


@pytest.mark.slow
@committing
def test_a_fold_stopped_before_any_of_its_lines_is_made_up_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = {module.__file__ for module in (engine, rows, upsert, writing, rotations, sketches)}
    monkeypatch.setattr(tracing, "OURS", ours)
    monkeypatch.setattr(tracing, "TABLES", (*tracing.TABLES, PageVisitors, UniqueSecret))
    prepared: list[Any] = []

    def prepare() -> list[Any]:
        prepared[:] = [visit(seen(Page(pk=1), "ana"), viewed(Page(pk=1)), seen(Page(pk=2), "ana"))]
        fold(LABEL, [visit(seen(Page(pk=1), "ben"), seen(Page(pk=1), "no day", "no day"))])
        return prepared

    for _, sent in tracing.stopped_at_each_line(lambda: fold(LABEL, prepared), prepare, "default"):
        fold(LABEL, sent)
        assert visitors() == {(1, TODAY): 2, (2, TODAY): 1}
        assert counts(PageVisitors) == {(1, TODAY): 1, (2, TODAY): 0}
        assert united() == 2


@committing
def test_a_commit_whose_answer_was_lost_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
    page = a_page()
    lost = raising(OperationalError("server has gone away"), connection._commit)
    monkeypatch.setattr(connection, "_commit", lost)
    fold(LABEL, [visit(seen(page, "ana"), viewed(page))])
    fold(LABEL, [visit(seen(page, "ana"))])
    assert (visitors(), counts(PageVisitors)) == ({(page.pk, TODAY): 1}, {(page.pk, TODAY): 1})


@committing
def test_a_deadlock_is_tried_again_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
    page = a_page()
    failing = raising(OperationalError("deadlock"), writing._write, times=3)
    monkeypatch.setattr(writing, "_write", failing)
    fold(LABEL, [visit(seen(page, "ana"), viewed(page))])
    assert (visitors(), counts(PageVisitors)) == ({(page.pk, TODAY): 1}, {(page.pk, TODAY): 1})
    assert united() == 1


@pytest.mark.slow
@committing
@pytest.mark.parametrize("processes", [1, 3])
def test_folds_killed_again_and_again_count_everybody_once(
    processes: int, child_environment: Callable[..., dict[str, str]]
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # shown if it fails
    command = [sys.executable, "-m", "trackable_tests.uniques.killing", str(seed), str(processes)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, env=child_environment(), stdout=pipe, stderr=pipe, text=True)
    told = json.loads(output_of(child, timeout_seconds=TIMEOUT_SECONDS))
    print(told)
    assert told["kills"] > 0
    assert counts(PageVisitors) == {(pk, TODAY): views for pk, views in told["views"]}
    assert visitors() == {(pk, TODAY): number for pk, number in told["visitors"]}
    assert united() == told["everybody"]
    assert reasons() == []
