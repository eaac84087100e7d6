"""Machines that share a folder, and how long one leaves another's segments alone."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trackable import checks
from trackable.journal import lines, machines, segments, writer
from trackable.journal.machines import LIFE_SECONDS, Machine
from trackable.journal.segments import OPEN, SEALED
from trackable.journal.writer import Writer
from trackable_tests.tables import for_each

LINE = lines.encode("app.PageData", "app.page", "1", "2026-11-21", "views", 1)

OnMachine = Callable[[str], None]


@pytest.fixture
def on_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnMachine]:
    """Be on another machine, by its host's name."""

    def be_on(host: str) -> None:
        boot_id = tmp_path / f"{host}.boot_id"
        boot_id.write_text(f"kernel of {host}\n")
        monkeypatch.setattr(machines, "BOOT_ID", boot_id)
        monkeypatch.setattr(platform, "node", lambda: host)
        machines.identity.cache_clear()

    yield be_on
    monkeypatch.undo()
    machines.identity.cache_clear()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    path.mkdir()
    return path


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the writer's clock says."""
    moment = [1000.0]
    monkeypatch.setattr(writer.time, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def emitter(on_machine: OnMachine, directory: Path, settings: Any, now: list[float]) -> Writer:
    """The writer of a process on machine "a"."""
    settings.TRACKABLE_JOURNAL_DIR = str(directory)
    on_machine("a")
    return writer.current()


def let_pass(directory: Path, seconds: float) -> None:
    """Make all heartbeats older."""
    for path in directory.glob("*.machine"):
        at = path.stat().st_mtime - seconds
        os.utime(path, (at, at))


def left_open(directory: Path) -> segments.Segment:
    """Leave a segment to which nobody on this kernel appends, as if its locks were not seen."""
    segment, fd = segments.create(directory)
    os.write(fd, LINE)
    os.close(fd)
    return segment


def states(directory: Path) -> list[str]:
    return [segment.state for segment in segments.listing(directory)]


def test_an_id_tells_the_machine(on_machine: OnMachine, directory: Path) -> None:
    on_machine("a")
    first = left_open(directory)
    on_machine("b")
    second = left_open(directory)
    assert first.machine != second.machine == machines.identity()
    assert len(first.id) == segments.ID_LENGTH


def test_what_another_machine_has_open_is_left_alone_while_it_lives(
    on_machine: OnMachine, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    on_machine("a")
    left_open(directory)
    on_machine("b")
    let_pass(directory, LIFE_SECONDS - 10)
    for _ in range(3):
        assert segments.adopt(directory) == []
    let_pass(directory, 20)
    assert [s.state for s in segments.adopt(directory)] == [SEALED]


def test_a_shared_folder_is_told_of_once(
    on_machine: OnMachine, directory: Path, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.TRACKABLE_JOURNAL_DIR = str(directory)
    on_machine("a")
    machines.beat(directory)
    assert checks.check_journal() == []
    on_machine("b")
    for _ in range(3):
        segments.adopt(directory)
    assert len(caplog.messages) == 1
    assert "Another machine, 'a', uses the journal" in caplog.messages[0]
    (warning,) = checks.check_journal()
    assert warning.id == "trackable.W007"
    assert "'a'" in warning.msg


def test_a_machine_adopts_what_its_own_processes_left(
    on_machine: OnMachine, directory: Path
) -> None:
    on_machine("a")
    left_open(directory)
    assert len(segments.adopt(directory)) == 1


def test_after_a_boot_a_machine_adopts_what_it_had_open_before(
    on_machine: OnMachine,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    on_machine("a")
    left_open(directory)
    on_machine("a-after-boot")
    monkeypatch.setattr(platform, "node", lambda: "a")
    let_pass(directory, 20)
    monkeypatch.setattr(machines, "_booted_at", lambda now: now - 10)
    assert len(segments.adopt(directory)) == 1
    assert caplog.messages == []


def test_a_machine_that_was_idle_since_before_this_one_was_booted_may_live(
    on_machine: OnMachine,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    on_machine("a")
    left_open(directory)
    on_machine("b")
    let_pass(directory, 20)
    monkeypatch.setattr(machines, "_booted_at", lambda now: now - 10)
    assert segments.adopt(directory) == []
    assert caplog.messages == []  # it may as well be gone


def test_a_machine_that_comes_while_another_looks_is_left_alone(
    on_machine: OnMachine, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others(*args: Any, look: Any = machines.others) -> Any:
        found = look(*args)
        on_machine("a")
        left_open(directory)
        on_machine("b")
        return found

    on_machine("b")
    monkeypatch.setattr(machines, "others", others)
    directory.mkdir(parents=True, exist_ok=True)
    assert segments.adopt(directory) == []


def test_ids_of_earlier_versions_are_adopted_and_read(directory: Path) -> None:
    machines.beat(directory)
    (directory / f"{1_700_000_000_123:012x}{'f' * 20}{OPEN}").write_bytes(LINE)
    (adopted,) = segments.adopt(directory)
    assert adopted.created_at == 1_700_000_000.123
    assert adopted.read() == LINE


def test_a_heartbeat_from_the_future_ages_from_now(on_machine: OnMachine, directory: Path) -> None:
    on_machine("a")
    left_open(directory)
    on_machine("b")
    let_pass(directory, -3600)
    assert segments.adopt(directory) == []
    let_pass(directory, LIFE_SECONDS + 1)
    assert len(segments.adopt(directory)) == 1


def test_a_machine_that_is_long_gone_is_forgotten(on_machine: OnMachine, directory: Path) -> None:
    on_machine("a")
    machines.beat(directory)
    on_machine("b")
    let_pass(directory, machines.FORGET_SECONDS + 1)
    segments.adopt(directory)
    assert [path.stem for path in directory.glob("*.machine")] == [machines.identity()]


@for_each("content", [b"", b"\xff\xfe\n\x1b[31m", b"x" * 100_000])
def test_whatever_a_heartbeat_says_can_be_told(
    on_machine: OnMachine, directory: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (directory / "00000000.machine").write_bytes(content)
    segments.adopt(directory)
    assert len(caplog.messages[0]) < 1000
    assert caplog.messages[0].isprintable()


def test_a_machine_that_was_taken_for_dead_goes_on_in_another_segment(
    emitter: Writer,
    on_machine: OnMachine,
    directory: Path,
    now: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert emitter.append("app.PageData", LINE)
    with monkeypatch.context() as elsewhere:
        on_machine("b")
        elsewhere.setattr(segments, "lock", lambda _: True)
        let_pass(directory, LIFE_SECONDS + 1)
        (adopted,) = segments.adopt(directory)
    on_machine("a")
    now[0] += LIFE_SECONDS
    assert emitter.append("app.PageData", LINE)
    writer.close()
    assert adopted.read() == LINE
    assert b"".join(s.read() for s in segments.listing(directory, SEALED)) == LINE * 2
    assert states(directory) == [SEALED] * 2


def test_a_process_that_emits_shows_that_its_machine_lives(
    emitter: Writer, on_machine: OnMachine, directory: Path, now: list[float]
) -> None:
    for _ in range(5):
        emitter.append("app.PageData", LINE)
        let_pass(directory, machines.LEASE_SECONDS)
        now[0] += machines.LEASE_SECONDS
    emitter.append("app.PageData", LINE)
    on_machine("b")
    (found,) = machines.others(directory, time.time())
    assert isinstance(found, Machine)
    assert found.host == "a"
    assert len(segments.listing(directory)) == 1


def test_where_there_is_no_boot_id_the_host_tells_the_machine(
    on_machine: OnMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_machine("a")
    monkeypatch.setattr(machines, "BOOT_ID", tmp_path / "none")
    machines.identity.cache_clear()
    first = machines.identity()
    monkeypatch.setattr(platform, "node", lambda: "b")
    machines.identity.cache_clear()
    assert machines.identity() != first
    assert len(first) == machines.ID_LENGTH


def test_without_a_heartbeat_emits_go_on(directory: Path) -> None:
    (directory / f"{machines.identity()}.machine").mkdir()
    left_open(directory)
    assert len(segments.adopt(directory)) == 1
