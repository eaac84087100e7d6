"""Seeds: real input for each target, to begin with."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final

from trackable import batches
from trackable.batches import Batch, Entry
from trackable.journal import lines
from trackable_tests.fuzzing.pages import PAGES
from trackable_tests.fuzzing.targets import ID

LOG: Final = Path("/work/shared/data/apache_access.log.gz")
LOG_LINES: Final = 300

_DAY: Final = "2026-11-21"
_HOUR: Final = "2026-11-21T12:00:00+00:00"
_ENTRIES: Final = (
    Entry("testapp.Page", "1", _DAY, "views", 3, 3),
    Entry("testapp.Page", "2", _DAY, "views", 10, 2),
    Entry("testapp.Page", "1", _DAY, "score", -5, 2),
    Entry("testapp.Page", "1", _DAY, "revenue", Decimal("12.34"), 1),
    Entry("testapp.Page", "1", _DAY, "seconds", 0.25, 1),
    Entry("testapp.Page", "1", _HOUR, "views", 1, 1),
    Entry("testapp.Link", "ä b", _DAY, "views", 1, 1),
    Entry("testapp.Download", "a2d5cf3e-6a0d-4f0a-8d9b-0f3e9d2c1b4a", _DAY, "views", 1, 1),
    Entry("gone.Gone", "1", "", "gone", 2**70, 1),
)
_AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0",
    "Mozilla/5.0 (Linux; Android 14; de-de; SM-S918B) AppleWebKit/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
    "curl/8.1.2",
    "-",
    "",
)
_LINE: Final = (
    '127.0.0.1 - frank\\" [17/May/2015:10:05:03 +0000] "GET /blog/a-b/?q=%41 HTTP/1.1" 200 203'
    ' "http://example.org/\\x22" "Mozilla/5.0"'
)
_QUERIES: Final = (
    "q=a&o=-1.2&p=1&all=",
    "collected_during__year=2026&collected_during__month=11&collected_during__day=21",
    "collected_during__gte=2026-11-21&collected_during__lt=2026-11-22",
    "model=testapp.page&q=17",
    "data_class=other&folded_at__gte=2026-11-21+00%3A00%3A00%2B00%3A00",
    "agent=curl%2F8&kind__exact=regex&e=1",
    "object_id=1&content_type__id__exact=1&views__gt=3&id__in=1,2&_popup=1&_to_field=id",
)
#: What mutations are made of besides: what parsers treat in a way of its own.
TOKENS: Final = (
    *(b"-0", b"1e999999", b"1e308", b"1e-400", b"NaN", b"Infinity", b"true", b"null"),
    *(b"[", b"]", b"{}", b'"', b"\\", b"\\ud800", b"\\u0000", b"\\x00", b"\0", b"\xff", b"\n"),
    *(b"%00", b"%", b"&", b"=", b"__in=", b"__year=", b"1e5", b"0001-01-01", b"9999-12-31"),
    *(b"views", b"revenue", b"seconds", b"filtered", b"-1", b"9" * 30, b"9" * 5000, b"[" * 500),
)


def seeds() -> dict[str, list[bytes]]:
    """Return the seeds by target."""
    encoded = [batches.encode(batch) for batch in _batches()]
    agents = [agent.encode() for agent in _AGENTS]
    return {
        "decoder": encoded,
        "message": [kind + each for each in encoded for kind in (b"b", b"t", b"ctext/plain\n")],
        "counts": [
            bytes([number]) + json.dumps(json.loads(each)["counts"]).encode()
            for each in encoded
            for number in range(16)
        ],
        "journal": [_journal(), b"\n".join(b"!" + line[9:] for line in _journal().split(b"\n"))],
        "folder": [name + b"\n" + _journal() for name in _names()],
        "access_log": [_LINE.encode(), *_logged()],
        "agent": agents,
        "visit": [*_visits()],
        "admin": [
            bytes([page]) + query.encode() for page in range(len(PAGES)) for query in _QUERIES
        ],
    }


def _batches() -> list[Batch]:
    one = [Batch.of(ID, "testapp.PageData", (entry,)) for entry in _ENTRIES]
    return [*one, Batch.of(ID, "testapp.PageData", _ENTRIES, 1, 2, 3), Batch(ID, "gone.Gone")]


def _journal() -> bytes:
    counted = [
        lines.encode("testapp.PageData", e.parent, e.object_id, e.period, e.field, str(e.amount))
        if isinstance(e.amount, Decimal)
        else lines.encode("testapp.PageData", e.parent, e.object_id, e.period, e.field, e.amount)
        for e in _ENTRIES
    ]
    tallies = [lines.encode("testapp.PageData", kind, 3) for kind in ("filtered", "dropped")]
    return b"".join([*counted, *tallies, counted[0], counted[1][:-5]])


def _names() -> list[bytes]:
    states = (b".open", b".sealed", b".shipped", b".folded", b".else", b"")
    files = [b"seal-request", b"tally", b"shipper.lock", b"broker.outage", b"\xff", b"z" * 32]
    return [*(ID.encode() + state for state in states), *files, b"z" * 32 + b".sealed"]


def _logged() -> list[bytes]:
    """Return the beginning of a real log, where this machine has it."""
    if not LOG.exists():
        return []
    with gzip.open(LOG, "rb") as log:
        return [line.rstrip(b"\n") for line in islice(log, LOG_LINES)]


def _visits() -> list[bytes]:
    keys = ("a", "17", "a-b", "ü/ö", "a2d5cf3e-6a0d-4f0a-8d9b-0f3e9d2c1b4a", "\0", "9" * 30)
    urls = ("https://example.org/ü?a=1", "javascript:alert(1)", "", "http://[::1", "//x\r\nSet: a")
    accepts = ("text/html,*/*;q=0.8", "application/json;q=", "*/*", "")
    found = []
    for number, key in enumerate(keys):
        url, accept = urls[number % len(urls)], accepts[number % len(accepts)]
        for verb, place in zip("GPHO", "lpnd", strict=True):
            parts = (verb, place, key, url, "a=1&b=%zz", accept, "empty", "Mozilla/5.0", "c=%00")
            found.append("\n".join(parts).encode())
    return found
