"""Segments: files whose names tell their state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trackable.journal import segments
from trackable.journal.segments import FOLDED, OPEN, SEALED, SHIPPED


def written(directory: Path, content: bytes = b"line\n") -> tuple[segments.Segment, int]:
    segment, fd = segments.create(directory)
    os.write(fd, content)
    return segment, fd


def test_a_new_segment_is_open_locked_and_listed(tmp_path: Path) -> None:
    segment, fd = segments.create(tmp_path / "journal")
    assert segments.listing(tmp_path / "journal") == [segment]
    assert segment.state == OPEN
    assert segments.adopt(tmp_path / "journal") == []
    os.close(fd)


def test_sealing_renames_and_frees(tmp_path: Path) -> None:
    segment, fd = written(tmp_path)
    sealed = segments.seal(segment, fd)
    assert sealed is not None
    assert sealed.state == SEALED
    assert sealed.read() == b"line\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_segment_whose_folder_was_moved_is_written_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segment, fd = written(tmp_path / "journal")
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    sealed = segments.seal(segment, fd)
    assert segments.listing(tmp_path / "journal") == [sealed]
    assert "Somebody has deleted or moved" in caplog.text
    (copy,) = segments.adopt(tmp_path / "elsewhere")
    assert (copy.id, copy.read()) == (segment.id, b"line\n")


@pytest.mark.parametrize("state", [SEALED, SHIPPED, FOLDED])
def test_a_segment_that_another_machine_has_adopted_is_not_written_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    segment, fd = written(tmp_path)
    adopted = segment.become(state)
    assert segments.seal(segment, fd) is None
    assert segments.listing(tmp_path) == [adopted]
    assert caplog.messages == []


def test_sealing_an_empty_segment_removes_it(tmp_path: Path) -> None:
    segment, fd = segments.create(tmp_path)
    assert segments.seal(segment, fd) is None
    assert segments.listing(tmp_path) == []


def test_the_segment_of_a_dead_process_is_adopted_with_its_id(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        written(tmp_path)
        os._exit(0)
    os.waitpid(child, 0)
    (orphan,) = segments.listing(tmp_path, OPEN)
    (adopted,) = segments.adopt(tmp_path)
    assert (adopted.id, adopted.state) == (orphan.id, SEALED)
    assert segments.adopt(tmp_path) == []


def test_an_empty_orphan_is_removed(tmp_path: Path) -> None:
    _, fd = segments.create(tmp_path)
    os.close(fd)
    assert segments.adopt(tmp_path) == []
    assert segments.listing(tmp_path) == []


def test_a_segment_adopted_before_it_was_locked_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, stolen = segments.lock, []

    def late(fd: int) -> bool:
        if not stolen:
            stolen.append(segments.listing(tmp_path, OPEN)[0])
            stolen[0].remove()
        return real(fd)

    monkeypatch.setattr(segments, "lock", late)
    segment, fd = segments.create(tmp_path)
    assert segment != stolen[0]
    assert segments.listing(tmp_path) == [segment]
    os.close(fd)


def test_two_cannot_change_a_state_both(tmp_path: Path) -> None:
    sealed = segments.seal(*written(tmp_path))
    assert sealed is not None
    assert sealed.become(SHIPPED) is not None
    assert sealed.become(FOLDED) is None


def test_segments_are_listed_oldest_first_and_by_state(tmp_path: Path) -> None:
    names = [f"{moment:012x}{'0' * 20}" for moment in (30, 10, 20)]
    for name, state in zip(names, (SEALED, SHIPPED, SEALED), strict=True):
        (tmp_path / (name + state)).touch()
    (tmp_path / "shipper.lock").touch()
    assert [s.id for s in segments.listing(tmp_path, SEALED)] == [names[2], names[0]]
    assert len(segments.listing(tmp_path)) == 3


def test_a_missing_directory_holds_nothing(tmp_path: Path) -> None:
    assert segments.listing(tmp_path / "none") == []
    assert segments.size_bytes(tmp_path / "none") == 0


def test_a_segment_knows_when_it_was_opened() -> None:
    segment = segments.Segment(f"{1_700_000_000_123:012x}{'0' * 20}", SEALED, Path())
    assert segment.created_at == 1_700_000_000.123


def test_ids_differ_and_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments.time, "time", lambda: 1_700_000_000.0)
    earlier = {segments.new_id() for _ in range(100)}
    monkeypatch.setattr(segments.time, "time", lambda: 1_700_000_000.001)
    assert len(earlier) == 100
    assert max(earlier) < segments.new_id()


def test_a_request_to_seal_can_be_told_from_the_one_before(tmp_path: Path) -> None:
    assert segments.last_request(tmp_path) == 0
    for _ in range(2):
        segments.request_seal(tmp_path)
        assert segments.last_request(tmp_path) > 0
        # As if long ago: two within a tick of the file system's clock are one.
        os.utime(tmp_path / segments.SEAL_REQUEST, (0, 0))


def test_a_segment_is_read_in_whichever_state_it_is(tmp_path: Path) -> None:
    sealed = segments.seal(*written(tmp_path))
    assert sealed is not None
    sealed.become(FOLDED)
    assert segments.content_of(tmp_path, sealed.id) == b"line\n"
    with pytest.raises(FileNotFoundError):
        segments.content_of(tmp_path, "f" * 32)
