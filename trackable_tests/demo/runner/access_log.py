"""An independent count of an access log, as ``awk`` would do it, to compare trackable's with."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Final

from trackable_tests.demo.runner.tally import Key, Tally

GZIP_MAGIC: Final = b"\x1f\x8b"
REQUEST: Final = re.compile(rb'\[([^\]\s]+):\d\d ([+-]\d{4})\]\s+"(.*)', re.DOTALL)


@dataclass
class Log:
    """What an access log says: its tally, its lines, and those of them without a target or time."""

    tally: Tally = field(default_factory=Tally)
    lines: int = 0
    unfit: int = 0

    @property
    def targets(self) -> list[str]:
        """The different targets, in the order of their first request."""
        return list(self.tally.answered)


def read(path: Path) -> Log:
    """Count a log in the common or combined format, plain or gzip."""
    log = Log()
    for line in _lines(path):
        log.lines += 1
        try:
            target, day = _parse(line)
        except ValueError:
            log.unfit += 1
            continue
        log.tally.certain[target, day] += 1
        log.tally.answered[target] += 1
    return log


def _parse(line: bytes) -> Key:
    """Return the second word of a line's request, and its day in UTC, the demo's time zone."""
    match = REQUEST.search(line)
    if match is None:
        raise ValueError("no time before a request")
    minute, zone, request = match.groups()
    method, target, *_ = request.split()
    if b"\0" in target or _ends_request(method) or _ends_request(target):
        raise ValueError("no request of three words")
    return target.decode("utf-8", "backslashreplace"), _day(f"{minute.decode()} {zone.decode()}")


def _ends_request(word: bytes) -> bool:
    return word.endswith(b'"') and not word.endswith(b'\\"')


@lru_cache(maxsize=4096)
def _day(minute: str) -> str:
    return datetime.strptime(minute, "%d/%b/%Y:%H:%M %z").astimezone(UTC).date().isoformat()


def _lines(path: Path) -> Iterator[bytes]:
    with closing(_open(path)) as log:
        yield from log


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as log:
        is_gzip = log.read(2) == GZIP_MAGIC
    return gzip.open(path, "rb") if is_gzip else path.open("rb")  # type: ignore[return-value]
