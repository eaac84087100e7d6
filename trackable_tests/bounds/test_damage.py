"""A segment that comes to harm loses its damaged lines, which are counted, and no others."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackable import counting, shipping
from trackable.batches import DAMAGED
from trackable.folding.collect import collect
from trackable.journal import lines, segments, tally, writer
from trackable.journal.segments import FOLDED, OPEN, SEALED, SHIPPED, STATES, Segment
from trackable.models import LedgerEntry
from trackable_tests.bounds.emitting import LINE, emit, found_in
from trackable_tests.counting import a_page, fold_until_settled, total
from trackable_tests.counting import emit as emit_increments
from trackable_tests.testapp.models import PageTotals

LABELS = ("testapp.PageTotals", "testapp.PageData")
#: different lines: what is lost can be told from what is left
LINES = [lines.encode(LABELS[n % 2], "testapp.Page", str(n), "", "views", 1) for n in range(20)]
CONTENT = b"".join(LINES)
SEGMENT_ID = f"{1:032x}"
PATIENCE_SECONDS = 100


def numbers_in(content: bytes) -> tuple[set[int], int]:
    """Return the objects that are counted, once each, and the number of damaged lines."""
    found, damaged = set(), 0
    for batch in counting.of_lines(SEGMENT_ID, content):
        damaged += batch.damaged
        for entry in batch.entries:
            assert (entry.amount, entry.hits) == (1, 1)
            found.add(int(entry.object_id))
    return found, damaged


def line_at(position: int) -> int:
    return CONTENT[:position].count(b"\n")


@given(position=st.integers(0, len(CONTENT) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_loses_one_line_at_most(position: int, bit: int) -> None:
    content = bytearray(CONTENT)
    content[position] ^= 1 << bit
    found, damaged = numbers_in(bytes(content))
    lost = set(range(20)) - found
    assert lost <= {line_at(position)}
    assert damaged >= len(lost)
    assert damaged <= 2


@given(position=st.integers(0, len(CONTENT)))
def test_a_cut_anywhere_leaves_every_line_before_it(position: int) -> None:
    found, damaged = numbers_in(CONTENT[:position])
    whole = line_at(position)
    torn = CONTENT[:position].rpartition(b"\n")[2]
    if torn and torn == LINES[whole][:-1]:
        whole += 1  # it lacks its end alone
        torn = b""
    assert found == set(range(whole))
    assert damaged == bool(torn)


@given(first=st.integers(0, len(CONTENT)), size=st.integers(0, 300), filler=st.binary(max_size=99))
def test_whatever_is_in_the_place_of_a_part_spoils_no_other(
    first: int, size: int, filler: bytes
) -> None:
    found, _ = numbers_in(CONTENT[:first] + filler + CONTENT[first + size :])
    before, after = line_at(first), line_at(min(first + size, len(CONTENT)))
    assert set(range(before)) | set(range(after + 1, 20)) <= found


@given(position=st.integers(0, len(CONTENT) - 2))
def test_a_line_that_follows_half_of_one_is_counted(position: int) -> None:
    cut = CONTENT[:position]
    found, _ = numbers_in(cut + LINES[19])
    assert 19 in found


# with a database


def sealed(page: Any, times: int = 5) -> Segment:
    emit_increments(page, data_cls=PageTotals, times=times)
    segment = writer.current()._segment
    assert segment is not None
    writer.seal()
    return Segment(segment.id, SEALED, segment.directory)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 7)


HARM = [flip, cut]


@pytest.fixture
def alarm() -> Iterator[None]:
    """Nothing may wait: not even for the other end of a pipe."""

    def complain(*_: Any) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, complain)
    signal.alarm(PATIENCE_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.django_db
@pytest.mark.parametrize("harm", HARM)
def test_harm_to_a_sealed_segment_is_counted(
    harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    page = a_page()
    harm(sealed(page).path)
    sealed(page, times=3)
    report = collect()
    assert (report.increments, report.damaged, total(PageTotals)) == (7, 1, 7)
    assert LedgerEntry.objects.get(data_class=DAMAGED).damaged == 1
    assert "1 damaged lines" in caplog.text
    assert collect().damaged == 0


@pytest.mark.django_db
@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("state", [SHIPPED, FOLDED])
def test_harm_to_what_is_counted_changes_no_count(
    harm: Callable[[Path], None], state: str, settings: Any
) -> None:
    settings.TRACKABLE_JOURNAL_RETENTION = 0
    page = a_page()
    segment = sealed(page)
    settings.TRACKABLE_JOURNAL_RETENTION = 600
    assert collect().increments == 5
    (folded,) = segments.listing(segment.directory, FOLDED)
    harmed = folded.become(state) if state != FOLDED else folded
    assert harmed is not None
    harm(harmed.path)
    settings.TRACKABLE_JOURNAL_RETENTION = 0
    sealed(page, times=3)
    fold_until_settled()
    collect()
    assert total(PageTotals) == 8
    assert segments.listing(segment.directory) == []


def test_harm_to_an_open_segment_leaves_what_is_appended_later(tmp_path: Path) -> None:
    emit(5)
    (segment,) = segments.listing(writer.current().directory, OPEN)
    cut(segment.path)
    emit(3)
    flip(segment.path)
    found = found_in(segment.directory)
    assert found["hits"] == 6
    assert found["damaged"] == 2


# something else in its place


def as_garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(5000))


def as_zeros(path: Path) -> None:
    path.write_bytes(bytes(5000))


def as_nothing(path: Path) -> None:
    path.write_bytes(b"")


def as_something_foreign(path: Path) -> None:
    path.write_text("id,title\n1,A page\n2,Another\n[]\n{}\n00000000 []\n", encoding="ascii")


def as_a_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "file").touch()


def as_a_dangling_link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/no/such/file")


def as_a_link_to_a_device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def as_a_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


REPLACEMENTS = [
    as_garbage,
    as_zeros,
    as_nothing,
    as_something_foreign,
    as_a_folder,
    as_a_dangling_link,
    as_a_link_to_a_device,
    as_a_pipe,
]


@pytest.mark.django_db
@pytest.mark.parametrize("replace", REPLACEMENTS)
@pytest.mark.parametrize("state", STATES)
def test_what_is_in_the_place_of_a_segment_harms_no_other(
    replace: Callable[[Path], None], state: str, alarm: None, settings: Any
) -> None:
    settings.TRACKABLE_JOURNAL_RETENTION = 0
    page = a_page()
    first = sealed(page)
    replace(first.path)
    os.rename(first.path, first.directory / (first.id + state))
    sealed(page, times=4)
    for _ in range(3):
        collect()
    assert total(PageTotals) == 4
    emit_increments(page, data_cls=PageTotals)
    assert collect().increments == 1


@pytest.mark.django_db
def test_zeros_and_garbage_are_counted_as_damaged() -> None:
    page = a_page()
    as_zeros(sealed(page).path)
    as_something_foreign(sealed(page).path)
    assert collect().damaged == 7


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    ["z" * 32, "../" + "0" * 29, "0" * 31 + "\N{ARABIC-INDIC DIGIT ONE}", "0" * 31, "A" * 32],
)
@pytest.mark.parametrize("state", STATES)
def test_a_name_that_is_nearly_a_segments_is_passed_over(name: str, state: str) -> None:
    page = a_page()
    directory = sealed(page).directory
    (directory / f"{name.replace('/', '_')}{state}").write_bytes(LINE)
    assert collect().increments == 5
    assert collect().increments == 0


@pytest.mark.slow
@pytest.mark.vendor("sqlite")
@pytest.mark.django_db
@pytest.mark.parametrize("byte", [None, b"\0"], ids=["random", "zeros"])
def test_a_hundred_megabytes_in_the_place_of_a_segment_harm_no_other(
    byte: bytes | None, alarm: None, settings: Any
) -> None:
    settings.TRACKABLE_JOURNAL_RETENTION = 0
    page = a_page()
    first = sealed(page)
    size_bytes = 100 << 20
    content = random.Random(1).randbytes(size_bytes) if byte is None else byte * size_bytes
    first.path.write_bytes(content)
    del content
    sealed(page, times=4)
    report = collect()
    assert (report.increments, total(PageTotals)) == (4, 4)
    assert report.damaged >= 1
    collect()
    assert segments.listing(first.directory) == []


def test_pipes_in_the_place_of_the_other_files_hold_nothing_up(settings: Any, alarm: None) -> None:
    directory = Path(settings.TRACKABLE_JOURNAL_DIR)
    directory.mkdir(parents=True)
    for name in (segments.SEAL_REQUEST, "tally"):
        os.mkfifo(directory / name)
    emit(3)
    shipping.flush(directory, wait_seconds=0)
    assert tally.read(directory)["emitted"] == 0
    tally.add(directory, emitted=1)
    segments.request_seal(directory)
    assert found_in(directory)["hits"] == 3
