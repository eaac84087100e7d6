"""Access logs for tests: the real one, or what of it travels with them, and lines made up."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

EXCERPT = settings.BASE_DIR / "trackable_tests" / "data" / "access_excerpt.log.gz"
SHARED = settings.BASE_DIR.parent / "shared" / "data" / "apache_access.log.gz"

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


def real_log() -> Path:
    """Return the log at ``TRACKABLE_TEST_ACCESS_LOG``, or the whole real one, or the excerpt."""
    named = os.environ.get("TRACKABLE_TEST_ACCESS_LOG")
    if named:
        return Path(named)
    return SHARED if SHARED.exists() else EXCERPT


def line(
    target: str = "/a",
    *,
    time: str = "17/May/2015:10:05:03 +0000",
    method: str = "GET",
    status: int = 200,
    agent: str | None = AGENT,
    host: str = "203.0.113.7",
) -> bytes:
    """Return a line in the combined format, or in the common one without an agent."""
    common = f'{host} - - [{time}] "{method} {target} HTTP/1.1" {status} 12'
    return (common if agent is None else f'{common} "-" "{agent}"').encode()


def write_log(path: Path, *lines: bytes) -> str:
    """Write lines to a file, and return its name."""
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    return str(path)


def awk_counts(path: Path) -> Counter[tuple[str, str]]:
    """Count the lines of a log by ``$7`` and by the day in ``$4``, as ``awk`` takes them apart."""
    found: Counter[tuple[str, str]] = Counter()
    for each in _lines(path):
        words = [word for word in each.replace(b"\t", b" ").split(b" ") if word]
        day = words[3][1:12].decode()
        found[words[6].decode("utf-8", "backslashreplace"), day] += 1
    return found


def _lines(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    is_gzip = content.startswith(b"\x1f\x8b")
    yield from (gzip.decompress(content) if is_gzip else content).splitlines()
