"""How a COMMIT looks on the wire, for PostgreSQL and for MariaDB, and that it was answered."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Longer than the message of any COMMIT that is recognised.
MESSAGE_BYTES = 96


@dataclass(frozen=True, slots=True)
class Commit:
    """Where the message lies in what was searched, and what its answer contains."""

    start: int
    end: int
    answer: re.Pattern[bytes]


# a simple query, or a statement to parse (its name, its text): type, length, content
_POSTGRESQL = rb"Q\0\0\0[\x0b\x0c](?i:COMMIT);?\0|P\0\0\0.[^\0]{0,63}\0(?i:COMMIT);?\0"
# a query that is the first packet of a command: length, number of the packet, type, content
_MARIADB = rb"\x07\0\0\0\x03(?i:COMMIT)|\x08\0\0\0\x03(?i:COMMIT);"

_COMMIT = re.compile(rb"(?P<postgresql>" + _POSTGRESQL + rb")|" + _MARIADB, re.DOTALL)
# "ready for a query, outside a transaction"
_POSTGRESQL_ANSWER = re.compile(rb"Z\0\0\0\x05I")
# The client sends nothing before the last answer has come: whatever comes next is this one.
_MARIADB_ANSWER = re.compile(rb".", re.DOTALL)


def find(content: bytes) -> Commit | None:
    """Return the last COMMIT that content holds as a whole, wherever reads have cut it."""
    commit = None
    for match in _COMMIT.finditer(content):
        answer = _POSTGRESQL_ANSWER if match["postgresql"] else _MARIADB_ANSWER
        commit = Commit(match.start(), match.end(), answer)
    return commit
