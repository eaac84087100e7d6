"""Query strings: the uids in one, and what is left of it without them. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

UID_LENGTH: Final = 8
#: What may be the uid of a partner; for anything else nobody needs to be asked.
UID: Final = re.compile(rf"\A[0-9A-Za-z_-]{{1,{UID_LENGTH}}}\Z")
#: Of a query string that repeats the key, so many different values are looked at.
MAX_UIDS: Final = 10

#: what may not stand in a header, or ends a query
UNSAFE: Final = re.compile(rb"[^!-~]|#")


@dataclass(frozen=True, slots=True)
class Stripped:
    """A query string without the parts of a key, and the values of these that may be uids."""

    rest: str
    uids: tuple[str, ...]


def strip(query: bytes, key: str) -> Stripped | None:
    """Take the parts whose name is the key out of a query string; ``None`` if there is none.

    The other parts stay as they are and where they are. Bytes that a header cannot hold are
    percent-encoded, as browsers do it.
    """
    if not query:
        return None
    name, rest, values = key.encode(), [], []
    for part in query.split(b"&"):
        before, _, after = part.partition(b"=")
        if _decoded(before) == name:
            values.append(_decoded(after).decode("latin-1"))
        else:
            rest.append(part)
    if not values:
        return None
    uids = dict.fromkeys(filter(UID.match, values))
    return Stripped(_for_a_header(b"&".join(rest)), tuple(uids)[:MAX_UIDS])


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _for_a_header(query: bytes) -> str:
    return UNSAFE.sub(lambda match: b"%%%02X" % ord(match.group()), query).decode("ascii")
