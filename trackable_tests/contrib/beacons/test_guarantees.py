"""Whatever is killed, whenever: beacons that were acknowledged are written, each once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Count

from trackable.batches import decode, encode
from trackable.contrib.beacons import sightings, writing
from trackable.contrib.beacons.models import IP, Beacon, IPEntity
from trackable.folding import collect as collecting
from trackable.folding import ledger, quarantine
from trackable.folding.collect import collect
from trackable.folding.engine import fold
from trackable.journal import writer
from trackable.messaging import process_messages, send_record
from trackable.models import LedgerEntry
from trackable_tests.contrib.beacons.visits import BEACON, address_of, record, visit_of
from trackable_tests.counting import (
    Crash,
    batch,
    fold_until_settled,
    output_of,
    reasons,
)
from trackable_tests.folding.failing import AFTER, BEFORE, Step, raising, stop_at
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db

QUIET = {"TRACKABLE_FLUSH_THREAD": False, "TRACKABLE_JOURNAL_RETENTION": 0}


def start(role: str, environment: dict[str, str], *arguments: object) -> Any:
    """Start a process that plays a role of ``children``."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "trackable_tests.contrib.beacons.children", role),
            *map(str, arguments),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def numbers() -> list[int]:
    """Return what is in the table, by the numbers that tell the beacons of children."""
    return sorted(int(key) for key in Beacon.objects.values_list("target_id", flat=True))


def assert_whole() -> None:
    """Assert that each beacon has an entity of its own, with the address that it came from."""
    assert reasons() == []
    entities = IPEntity.objects.annotate(number=Count("ip_addresses"))
    owners = {str(entity.pk): entity for entity in entities}
    beacons = list(Beacon.objects.values_list("entity_id", "target_id"))
    assert sorted(key for key, _ in beacons) == sorted(owners)
    assert {entity.number for entity in entities} <= {1}
    wanted = {(key, address_of(int(number))) for key, number in beacons}
    found = IPEntity.objects.values_list("pk", "ip_addresses__address")
    assert {(str(pk), address) for pk, address in found} == wanted
    assert IP.objects.count() == len({address for _, address in wanted})


# folds that are stopped between two steps


STEPS: list[Step] = [
    (ledger, "claim", 1, AFTER),
    (sightings, "_entities", 1, AFTER),
    (sightings, "_addresses", 1, AFTER),
    (sightings, "_join", 1, AFTER),
    (writing, "write", 1, BEFORE),
    (writing, "write", 1, AFTER),
    (quarantine, "put", 1, AFTER),
    (collecting, "fold", 1, AFTER),  # committed, and not acknowledged
]


@for_each("step", STEPS)
def test_a_fold_that_is_stopped_is_made_up_for(step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    emit_segment(5)
    with monkeypatch.context() as stopped:
        stop_at(stopped, *step)
        with pytest.raises(Crash):
            process_messages()
    fold_until_settled()
    assert numbers() == [0, 1, 2, 3, 4]
    assert_whole()


def test_a_batch_that_comes_again_is_written_once() -> None:
    sent = batch(Beacon, *(record(visit_of(number)) for number in range(3)))
    fold(BEACON, [sent, sent])
    fold(BEACON, [decode(encode(sent))])
    assert numbers() == [0, 1, 2]
    assert_whole()


def test_a_bad_neighbour_doubles_no_entity() -> None:
    good = [record(visit_of(number)) for number in range(6)]
    bad = [record({"at": "never"}), record({**visit_of(9), "source": ["no.Model", "1"]})]
    report = fold(BEACON, [batch(Beacon, *good[:3], *bad, *good[3:])])
    assert (report.increments, report.quarantined) == (6, 2)
    assert numbers() == [0, 1, 2, 3, 4, 5]
    assert len(reasons()) == 2
    assert IPEntity.objects.count() == 6


def test_an_error_after_all_is_written_undoes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    real = writing.write
    monkeypatch.setattr(writing, "write", raising(ValueError("at the end"), real, times=1))
    fold(BEACON, [batch(Beacon, *(record(visit_of(number)) for number in range(4)))])
    assert numbers() == [0, 1, 2, 3]
    assert_whole()


def emit_segment(number: int) -> None:
    for each in range(number):
        assert send_record(None, Beacon, visit_of(each))
    writer.seal()


def test_a_replay_writes_nothing_again(broker_url: str | None) -> None:
    emit_segment(3)
    assert process_messages() == 3
    call_command("replay_trackable_journal", stdout=StringIO())
    report = collect()
    assert (report.increments, report.duplicate_batches) == (0, 1)
    assert numbers() == [0, 1, 2]
    assert_whole()


def test_a_replay_writes_again_what_a_database_has_lost() -> None:
    emit_segment(3)
    process_messages()
    for model in (Beacon, IPEntity, IP, LedgerEntry):  # they go back together
        model._base_manager.all().delete()
    call_command("replay_trackable_journal", stdout=StringIO())
    assert process_messages() == 3
    assert numbers() == [0, 1, 2]
    assert_whole()


# real processes


processes = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def marked(test: Any) -> Any:
    for mark in processes:
        test = mark(test)
    return test


@marked
def test_what_a_killed_process_was_told_is_written(
    child_environment: Callable[..., dict[str, str]],
) -> None:
    children = [start("emit_for_ever", child_environment(), first) for first in (0, 1_000_000)]
    acknowledged = []
    for child, enough in zip(children, (500, 777), strict=True):
        told = len(child.stdout.read(enough))
        child.send_signal(signal.SIGKILL)
        with child:  # closes its pipes
            told += len(child.stdout.read())
            assert (child.wait(), child.stderr.read()) == (-signal.SIGKILL, "")
        acknowledged.append(told)
    fold_until_settled()
    first = [number for number in numbers() if number < 1_000_000]
    other = [number - 1_000_000 for number in numbers() if number >= 1_000_000]
    for found, told in zip((first, other), acknowledged, strict=True):
        assert found == list(range(len(found)))
        assert told <= len(found) <= told + 1
    assert_whole()


@marked
def test_a_fold_that_is_killed_again_and_again_writes_exactly(
    child_environment: Callable[..., dict[str, str]],
) -> None:
    emitted = int(output_of(start("fold_under_fire", child_environment(**QUIET), 10)))
    fold_until_settled()
    assert numbers() == list(range(emitted))
    assert_whole()


#: on either side of each step of a fold that leaves something behind
POINTS = [
    *("before-ledger", "between-ledger-and-upsert", "before-commit", "after-commit"),
    *("before-acks", "before-ack", "after-ack", "before-settle", "before-folded"),
]


@marked
def test_a_fold_killed_before_and_after_its_commit_is_made_up_for(
    child_environment: Callable[..., dict[str, str]],
) -> None:
    child = start("fold_killed_at", child_environment(**QUIET), *POINTS)
    emitted = int(output_of(child))
    fold_until_settled()
    assert emitted == 20 * len(POINTS)
    assert numbers() == list(range(emitted))
    assert_whole()


@marked
def test_folds_at_the_same_time_write_exactly(
    child_environment: Callable[..., dict[str, str]],
) -> None:
    processes, turns = 3, 5
    output_of(start("emit_and_fold", child_environment(**QUIET), processes, turns))
    fold_until_settled()
    assert numbers() == list(range(10 * processes * turns))
    assert_whole()
