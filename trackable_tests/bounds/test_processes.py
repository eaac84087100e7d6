"""Processes that fork in the middle of emits, and machines that share a folder by mistake."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trackable.journal import machines, segments, writer
from trackable.journal.segments import OPEN
from trackable_tests.bounds import processes
from trackable_tests.bounds.emitting import LINE, emit, found_in
from trackable_tests.bounds.forks import Fork, Tell
from trackable_tests.counting import a_page, fold_until_settled, total
from trackable_tests.testapp.models import PageTotals

Environment = Callable[..., dict[str, str]]


@pytest.mark.slow
@pytest.mark.vendor("sqlite")  # emits go into the journal
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("way", "thread"),
    [("os", False), ("os", True), ("multiprocessing", True), ("libc", False)],
)
def test_forks_in_the_middle_of_emits_count_everything_once(
    way: str, thread: bool, child_environment: Environment
) -> None:
    page = a_page()
    environment = child_environment(
        TRACKABLE_FLUSH_THREAD=thread,
        TRACKABLE_FLUSH_INTERVAL=0.005,
        TRACKABLE_JOURNAL_SEGMENT_BYTES=len(LINE) * 50,
        TRACKABLE_JOURNAL_FSYNC="off",
    )
    acknowledged = processes.run("fork_while_emitting", environment, page.pk, way)
    assert acknowledged > processes.FORKS * processes.CHILDRENS_EMITS
    fold_until_settled()
    assert total(PageTotals) == acknowledged


def test_a_child_does_not_wait_for_a_lock_of_its_parents(settings: Any) -> None:
    directory = Path(settings.TRACKABLE_JOURNAL_DIR)

    def emit_in_a_child(tell: Tell) -> None:
        tell(emit(3))

    with writer._creations.setdefault(os.getpid(), writer.threading.RLock()):
        emit(1)
        assert Fork(emit_in_a_child).result() == 3
    assert found_in(directory)["hits"] == 4


@pytest.mark.slow
@pytest.mark.vendor("sqlite")
@pytest.mark.django_db(transaction=True)
def test_two_machines_that_share_a_folder_count_everything_once(
    tmp_path: Path, settings: Any, child_environment: Environment
) -> None:
    page = a_page()
    directory = Path(settings.TRACKABLE_JOURNAL_DIR)
    environment = child_environment(
        TRACKABLE_FLUSH_THREAD=True,
        TRACKABLE_FLUSH_INTERVAL=0.05,
        TRACKABLE_JOURNAL_FSYNC="off",
    )
    children = []
    for number in range(2):
        boot_id = tmp_path / f"boot_id_{number}"
        boot_id.write_text(f"{number}\n")
        arguments = (page.pk, number, boot_id, 3.0)
        children.append(processes.start("be_a_machine", environment, *arguments))
    acknowledged = [processes.told_by(child) for child in children]
    assert min(acknowledged) > 100
    assert len(list(directory.glob("*.machine"))) >= 2
    # What their dead have left is left alone as yet.
    left = {segment.machine for segment in segments.listing(directory, OPEN)}
    assert machines.identity() not in left
    segments.adopt(directory)
    assert {segment.machine for segment in segments.listing(directory, OPEN)} == left
    for path in directory.glob("*.machine"):
        at = time.time() - machines.LIFE_SECONDS - 1
        os.utime(path, (at, at))
    fold_until_settled()
    # One of each machine is killed, perhaps after it emitted and before it could say so.
    assert total(PageTotals) - sum(acknowledged) in range(len(children) + 1)
