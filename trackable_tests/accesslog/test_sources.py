"""Lines come from plain and compressed files and from standard input, in bounded memory."""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from trackable.accesslog import sources
from trackable.accesslog.lines import MAX_LINE_BYTES
from trackable.accesslog.sources import DamagedLog, lines
from trackable_tests.tables import for_each

CONTENT = b"".join(b"line %d\n" % number for number in range(50_000))
KINDS = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


class Trickle(io.RawIOBase):
    """A pipe that gives a byte at a time."""

    def __init__(self, content: bytes) -> None:
        self.rest = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        byte, self.rest = self.rest[:1], self.rest[1:]
        buffer[: len(byte)] = byte
        return len(byte)


def pipe_in(monkeypatch: pytest.MonkeyPatch, raw: io.RawIOBase) -> None:
    stream = io.TextIOWrapper(io.BufferedReader(raw))
    monkeypatch.setattr(sys, "stdin", stream)


def written(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "a.log"
    path.write_bytes(content)
    return str(path)


@for_each("compress", KINDS.values())
def test_content_tells_how_it_is_compressed(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    assert list(lines(written(tmp_path, compress(CONTENT)))) == CONTENT.splitlines()


@for_each("compress", KINDS.values())
def test_standard_input_is_told_so_too(
    compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe_in(monkeypatch, Trickle(compress(b"a\nb\n")))
    assert list(lines("-")) == [b"a", b"b"]


def test_concatenated_gzip_files_are_one(tmp_path: Path) -> None:
    content = gzip.compress(b"a\nb") + gzip.compress(b"c\n")
    assert list(lines(written(tmp_path, content))) == [b"a", b"bc"]


@for_each(
    "content, expected",
    [
        (b"", []),
        (b"a\r\n\r\nb", [b"a", b"", b"b"]),
        (b"a\n\n", [b"a", b""]),
        (b"\x1f", [b"\x1f"]),
    ],
)
def test_line_ends_are_left_out(content: bytes, expected: list[bytes], tmp_path: Path) -> None:
    assert list(lines(written(tmp_path, content))) == expected


def test_very_long_line_is_cut_and_the_next_is_whole(tmp_path: Path) -> None:
    name = written(tmp_path, b"a" * (5 * MAX_LINE_BYTES) + b"\nb\n" + b"c" * 2 * MAX_LINE_BYTES)
    assert [len(each) for each in lines(name)] == [MAX_LINE_BYTES + 1, 1, MAX_LINE_BYTES + 1]


def test_line_of_just_the_limit_is_whole(tmp_path: Path) -> None:
    content = b"a" * MAX_LINE_BYTES
    assert list(lines(written(tmp_path, content + b"\nb"))) == [content, b"b"]


def lines_and_error(name: str) -> tuple[list[bytes], str]:
    found: list[bytes] = []
    try:
        found.extend(lines(name))
    except DamagedLog as error:
        return found, str(error)
    return found, ""


@for_each("cut", [20, 2000, 50_000])
def test_truncated_gzip_file_gives_all_that_is_in_it(cut: int, tmp_path: Path) -> None:
    content = gzip.compress(CONTENT)[:-cut]
    whole, _, _torn = zlib.decompressobj(wbits=31).decompress(content).rpartition(b"\n")
    found, error = lines_and_error(written(tmp_path, content))
    assert (found, "ended before" in error) == (whole.split(b"\n"), True)


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_other_truncated_file_gives_the_parts_before(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    content = compress(b"a\nb\n") + compress(CONTENT)[:-20]
    found, error = lines_and_error(written(tmp_path, content))
    assert (found[:2], bool(error)) == ([b"a", b"b"], True)


def test_what_follows_a_gzip_file_and_is_none_comes_to_light_at_the_end(tmp_path: Path) -> None:
    content = gzip.compress(b"a\nb\n") + b"rubbish"
    found, error = lines_and_error(written(tmp_path, content))
    assert (found, "gzip" in error) == ([b"a", b"b"], True)


def test_bytes_of_the_file_itself_are_told(tmp_path: Path) -> None:
    told: list[int] = []
    name = written(tmp_path, gzip.compress(CONTENT))
    list(lines(name, on_bytes=told.append))
    assert sum(told) == sources.size_bytes([name])


def test_size_of_standard_input_is_unknown(tmp_path: Path) -> None:
    assert sources.size_bytes([written(tmp_path, b"abc"), "-"]) is None


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(lines(str(tmp_path / "none")))
