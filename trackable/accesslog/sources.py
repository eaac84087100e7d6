"""Sources: the lines of a log file, plain or compressed, or of standard input.

How a file is compressed is told by its first bytes, not by its name. Memory is bounded whatever
is in it.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final

from trackable.accesslog.lines import MAX_LINE_BYTES
from trackable.exceptions import TrackableError

STANDARD_INPUT: Final = "-"
BUFFER_BYTES: Final = 1 << 18

_OPENERS: Final[dict[bytes, Callable[[Any], Any]]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream, mode="rb"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_DAMAGE: Final = (EOFError, OSError, zlib.error, lzma.LZMAError)


class DamagedLog(TrackableError):  # noqa: N818
    """A log file cannot be read to its end; what came before the damage was read."""


def lines(name: str, *, on_bytes: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Yield the lines of a file, or of standard input for ``-``, without their ends.

    A line of more than ``MAX_LINE_BYTES`` is cut after the first byte too many. ``on_bytes`` is
    told how many bytes of the file itself were read. Raises ``OSError`` if it cannot be opened,
    ``DamagedLog`` where it cannot be read on.
    """
    with ExitStack() as stack:
        file: BinaryIO = (
            sys.stdin.buffer if name == STANDARD_INPUT else stack.enter_context(open(name, "rb"))
        )
        # A pipe may give less than is asked for; ``read`` goes on, so the first bytes come whole.
        stream = _decompressed(io.BufferedReader(_Stream(file.read, on_bytes), BUFFER_BYTES))
        try:
            yield from _split(stream)
        except _DAMAGE as error:
            raise DamagedLog(f"{error or type(error).__name__}") from error


def size_bytes(names: list[str]) -> int | None:
    """Return the size of the files together; ``None`` if one of them is standard input."""
    if STANDARD_INPUT in names:
        return None
    return sum(Path(name).stat().st_size for name in names)


def obstacle(name: str) -> str | None:
    """Return why a file cannot be read, or ``None``; a pipe is left as it is."""
    if name == STANDARD_INPUT:
        return None
    try:
        mode = os.stat(name).st_mode
    except OSError as error:
        return error.strerror
    if stat.S_ISDIR(mode):
        return os.strerror(errno.EISDIR)
    return None if os.access(name, os.R_OK) else os.strerror(errno.EACCES)


def _decompressed(stream: io.BufferedReader) -> io.BufferedReader:
    start = stream.peek(1)
    for magic, opener in _OPENERS.items():
        if start.startswith(magic):
            # ``read1``, because ``read`` keeps to itself what it has when it meets the damage.
            return io.BufferedReader(_Stream(opener(stream).read1), BUFFER_BYTES)
    return stream


def _split(stream: io.BufferedReader) -> Iterator[bytes]:
    limit = MAX_LINE_BYTES + 1
    while line := stream.readline(limit):
        if len(line) == limit and not line.endswith(b"\n"):
            _skip_line(stream, limit)
        yield line.rstrip(b"\r\n")


def _skip_line(stream: io.BufferedReader, limit: int) -> None:
    while (rest := stream.readline(limit)) and not rest.endswith(b"\n"):
        pass


class _Stream(io.RawIOBase):
    """A stream of what a function reads; tells how much that was."""

    def __init__(
        self, read: Callable[[int], bytes], on_bytes: Callable[[int], None] | None = None
    ) -> None:
        self._read = read
        self._on_bytes = on_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        if self._on_bytes is not None:
            self._on_bytes(len(data))
        return len(data)
