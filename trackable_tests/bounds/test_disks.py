"""A disk that is full or refuses: emits never raise, and what they acknowledge is counted."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import path

from trackable.flusher import Flusher
from trackable.journal import tally, writer
from trackable.journal.segments import OPEN
from trackable.messaging import process_messages, send_increment_message
from trackable.models import LedgerEntry
from trackable.views import track_object
from trackable_tests.bounds import processes
from trackable_tests.bounds.emitting import LINE, emit, found_in, no_space
from trackable_tests.bounds.forks import Fork, Tell
from trackable_tests.counting import a_page, total
from trackable_tests.testapp.models import Link, PageTotals

pytestmark = pytest.mark.usefixtures("own_temporary_folder")

NOBODY = 65534
#: by this a child is told that its folder can be written
MENDED = signal.SIGUSR1

urlpatterns = [
    path(
        "links/<str:object_id>/",
        track_object,
        {"queryset": Link, "message_op": "views", "url_field": "url"},
    ),
]


# a full disk


def no_new_segments(path: Any, *args: Any, **kwargs: Any) -> Any:
    return no_space() if str(path).endswith(OPEN) else real_open(path, *args, **kwargs)


real_open, real_write = os.open, os.write


def half_a_line(fd: int, content: bytes) -> int:
    return real_write(fd, content[: len(content) // 2])


FULL = {
    "create": ("open", no_new_segments),
    "write": ("write", no_space),
    "short write": ("write", half_a_line),
    "fsync": ("fsync", no_space),
    "rename": ("rename", no_space),
    "utime": ("utime", no_space),
    "truncate": ("ftruncate", no_space),
}


@pytest.mark.parametrize("step", FULL)
@pytest.mark.parametrize("policy", ["seal", "always"])
def test_a_full_disk_loses_nothing_that_was_acknowledged(
    directory: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    now: list[float],
    step: str,
    policy: str,
) -> None:
    settings.TRACKABLE_JOURNAL_FSYNC = policy
    acknowledged = emit(3)
    subject = writer.current()
    thread = Flusher(subject, 0.5)
    for _ in range(3):
        with monkeypatch.context() as full:
            full.setattr(os, *FULL[step])
            for _ in range(3):
                acknowledged += emit(2)
                now[0] += 6
                thread.turn()
        acknowledged += emit(2)
        now[0] += 6
        thread.turn()
    assert acknowledged >= 6
    found = found_in(directory)
    unsynced = subject.refused == 0 and policy == "always"
    assert found["hits"] == (27 if unsynced else acknowledged)
    assert found["damaged"] == 0
    assert found["dropped"] == subject.refused == (0 if unsynced else 27 - acknowledged)
    assert tally.read(directory)["refused"] == subject.refused


def test_a_line_that_a_full_disk_tears_spoils_no_other(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit(2)
    with monkeypatch.context() as full:
        full.setattr(os, "write", half_a_line)
        full.setattr(os, "ftruncate", no_space)
        assert emit(3) == 0
    assert emit(2) == 2
    assert found_in(directory)["hits"] == 4


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_emits_go_on_when_a_disk_that_was_full_has_room(
    tmp_path: Path, settings: Any, child_environment: Callable[..., dict[str, str]]
) -> None:
    page = a_page()
    settings.TRACKABLE_JOURNAL_DIR = str(tmp_path / "small" / "journal")
    found = processes.run(
        "fill_the_disk",
        child_environment(),
        tmp_path / "small",
        page.pk,
        disk=tmp_path / "small",
    )
    assert found["refused"] > 0
    assert found["before"] > 0
    assert found["after"] > 0
    assert found["mails"] == 1
    assert found["told"] == found["refused"]
    assert total(PageTotals) == found["before"] + found["after"]
    assert sum(LedgerEntry.objects.values_list("dropped", flat=True)) == found["refused"]
    assert sum(LedgerEntry.objects.values_list("damaged", flat=True)) == 0


def test_a_limit_of_the_size_of_files_loses_nothing_that_was_acknowledged(directory: Path) -> None:
    def fill(tell: Tell) -> None:
        size_bytes = len(LINE) * 10 + 7
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
        tell([emit(50), writer.current().refused])

    acknowledged, refused = Fork(fill).result()
    assert acknowledged + refused == 50
    assert acknowledged > 40
    found = found_in(directory)
    assert (found["hits"], found["damaged"]) == (acknowledged, 0)


# a folder that cannot be written


def test_a_folder_that_is_read_only_is_written_once_it_is_mended(directory: Path) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        folder.chmod(0o755)
        locked = folder / "journal"
        locked.mkdir(mode=0o555)
        child = Fork(emit_as_nobody, str(locked))
        assert child.hear() == {"acknowledged": 0, "refused": 100}
        locked.chmod(0o777)
        os.kill(child.pid, MENDED)
        assert child.result() == {"acknowledged": 5, "refused": 100}
        found = found_in(locked)
        assert (found["hits"], found["dropped"]) == (5, 100)
        assert tally.read(locked)["refused"] == 100
    finally:
        shutil.rmtree(folder)


def emit_as_nobody(tell: Tell, directory: str) -> None:
    """Emit into a folder that is not for nobody to write, and again once a signal comes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {MENDED})
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    with override_settings(TRACKABLE_JOURNAL_DIR=directory):
        acknowledged = emit(100)
        subject = writer.current()
        Flusher(subject, 0.5).turn()
        tell({"acknowledged": acknowledged, "refused": subject.refused})
        assert signal.sigtimedwait({MENDED}, 20), "it was not mended"
        subject._failed_at = 0.0  # as if the pause were over
        subject.write_dropped()
        assert not subject.dropped
        tell({"acknowledged": emit(5), "refused": subject.refused})
        writer.close()


@pytest.fixture
def blocked(tmp_path: Path, settings: Any) -> Path:
    """A file where the folder of the journal should be."""
    path = tmp_path / "blocked"
    path.write_text("I am a file.")
    return path


@pytest.mark.parametrize("where", ["", "journal", "deep/er/journal"])
def test_a_file_in_the_way_is_met_with_one_line_in_the_log(
    blocked: Path, where: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRACKABLE_JOURNAL_DIR = str(blocked / where)
    assert emit(100) == 0
    assert len(caplog.messages) == 1
    assert "Increments are dropped" in caplog.messages[0]
    assert writer.current().dropped == {"testapp.PageTotals": 100}


def test_turns_over_a_file_in_the_way_say_so_once(
    blocked: Path, settings: Any, caplog: pytest.LogCaptureFixture, now: list[float]
) -> None:
    settings.TRACKABLE_JOURNAL_DIR = str(blocked)
    emit(10)
    thread = Flusher(writer.current(), 0.5)
    for _ in range(2):
        thread.turn()
    said = len(caplog.messages)
    for _ in range(20):
        now[0] += 6
        emit(10)
        thread.turn()
    assert len(caplog.messages) == said <= 4


def test_a_file_in_the_way_that_goes_away_is_forgotten(
    blocked: Path, settings: Any, now: list[float]
) -> None:
    settings.TRACKABLE_JOURNAL_DIR = str(blocked)
    assert emit(10) == 0
    blocked.unlink()
    assert emit(1) == 0  # it is not asked at every emit
    now[0] += writer.PAUSE_SECONDS
    assert emit(5) == 5
    assert found_in(blocked) == {"hits": 5, "dropped": 11, "damaged": 0}


@pytest.mark.django_db
def test_a_visitor_gets_the_page_though_there_is_no_journal(blocked: Path, settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_DIR = str(blocked)
    settings.ROOT_URLCONF = __name__
    link = Link.objects.create(code="a", url="https://example.org/")
    assert Client().get("/links/a/").url == link.url  # type: ignore[attr-defined]
    assert send_increment_message(None, link, "views") is False
    assert process_messages() == 0
