"""Log lines: one request in the common or combined format of Apache and nginx. Pure.

Read as bytes, because clients decide what is in them, and as leniently as ``awk`` would: what
follows the request may be missing, cut off, or more than the format has.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, NamedTuple

#: Longer lines are nobody's request.
MAX_LINE_BYTES: Final = 64 << 10
MAX_AGENT_BYTES: Final = 4 << 10

_MOMENT: Final = rb"\[(\d\d/[A-Za-z]{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]"
_TIME: Final = rb'\S+[ \t](?:[^"\\]|\\.)*?' + _MOMENT + rb"[ \t]+"
_QUOTED: Final = rb'"((?:[^"\\]++|\\.)*+)"'
_AGENT: Final = rb'(?:[ \t]+"(?:[^"\\]++|\\.)*+"[ \t]+"((?:[^"\\]++|\\.)*+))?'
_REST: Final = rb"(?:[ \t]+(\d{3}|-)(?:[ \t]+\S+" + _AGENT + rb")?)?"
_STRICT: Final = re.compile(_TIME + _QUOTED + _REST, re.DOTALL)
#: Some servers do not escape quotes: then the request ends where a status follows.
_LENIENT: Final = re.compile(
    _TIME + rb'"(.*?)"[ \t]+(\d{3}|-)[ \t]+(?:\d+|-)(?:[ \t]+"[^"]*"[ \t]+"([^"]*))?', re.DOTALL
)
_ESCAPE: Final = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_CONTROLS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1
    )
}
#: Others would be nonsense, or leave what a date can hold in some time zone.
_YEARS: Final = range(1970, 9999)
_LEAP_SECOND: Final = b"60"


class Hit(NamedTuple):
    """One request as it was logged; bytes are as the log has them, escapes included."""

    when: datetime
    #: ``None``, as is the target, if the request is not "METHOD target PROTOCOL"
    method: bytes | None
    target: bytes | None
    status: bytes | None
    #: ``None`` if the format has no user agents, ``b"-"`` or empty if the client sent none
    agent: bytes | None


def parse(line: bytes) -> Hit | None:
    """Return the hit that a line without its end tells of; ``None`` if it is none."""
    if len(line) > MAX_LINE_BYTES:
        return None
    match = _STRICT.match(line)
    if match is None or line[match.end(2) + 1 : match.end(2) + 2].strip():
        match = _LENIENT.match(line) or match
    if match is None:
        return None
    time, request, status, agent = match.groups()
    when = _moment(time)
    if when is None:
        return None
    words = request.split(None, 2)
    method, target = words[:2] if len(words) == 3 else (None, None)
    return Hit(when, method, target, status, agent if agent is None else agent[:MAX_AGENT_BYTES])


@lru_cache(maxsize=4096)
def _moment(text: bytes) -> datetime | None:
    """Return the aware time of ``17/May/2015:10:05:03 +0000``, whatever the locale."""
    day, month, year = int(text[:2]), _MONTHS.get(text[3:6], 0), int(text[7:11])
    second = b"59" if text[18:20] == _LEAP_SECOND else text[18:20]
    clock = int(text[12:14]), int(text[15:17]), int(second)
    try:
        moment = datetime(year, month, day, *clock, tzinfo=_zone(text[21:26]))
    except ValueError:
        return None
    return moment if year in _YEARS else None


@lru_cache(maxsize=256)
def _zone(offset: bytes) -> timezone:
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    if not minutes:
        return UTC
    return timezone(timedelta(minutes=-minutes if offset[:1] == b"-" else minutes))


def unescape(text: bytes) -> bytes:
    r"""Undo what servers do to quotes, controls and bytes that are not ASCII (``\"``, ``\xc3``)."""
    return _ESCAPE.sub(_unescaped, text) if b"\\" in text else text


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes.fromhex(code[1:].decode()) if len(code) == 3 else _CONTROLS.get(code, code)


def printable(line: bytes, length: int = 160) -> str:
    """Return a line, or its beginning, so that it does nothing to a terminal."""
    text = ascii(line[:length].decode("utf-8", "backslashreplace"))
    return f"{text} and {len(line) - length} bytes more" if len(line) > length else text
