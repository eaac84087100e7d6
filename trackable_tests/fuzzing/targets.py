"""The targets: functions of bytes that raise if a property breaks, and pass over bad input.

They return how many things in it they have checked, 0 for what is passed over. They need a
database; ``child.py`` makes one where no test has.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_from_bytes
from zlib import crc32

from django.apps import apps
from django.db import Error, transaction
from django.test import Client, override_settings
from django.urls import path, re_path

from trackable import batches, conf, counting, notices, settling, shipping, spiders
from trackable.accesslog import lines as log_lines
from trackable.accesslog.importing import request_of
from trackable.accesslog.patterns import as_logged, pattern_of
from trackable.accesslog.selection import Selection
from trackable.batches import Batch, Malformed
from trackable.broker import CONTENT_TYPE, _decode
from trackable.exceptions import BadMessage
from trackable.folding.aggregate import aggregate
from trackable.folding.engine import FoldReport, fold
from trackable.journal import lines, segments
from trackable.models import LedgerEntry, QuarantinedMessage, TrackableData
from trackable.views import track_object
from trackable_tests.fuzzing.pages import PAGES, look
from trackable_tests.testapp.models import Download, Link, Page, PageTotals

#: of processor time: far more than anything of these sizes takes, unless it grows quadratically
SLOW_SECONDS: Final = 2.0
ID: Final = f"{int(time.time() * 1000):012x}{'0' * 20}"
#: an object that nobody else counts for
OWN: Final = "4242424242"
MAX_QUERY_BYTES: Final = 500
ANSWERS: Final = {200, 302, 400, 403, 404, 405}

Target = Callable[[bytes], int]


@contextmanager
def quickly() -> Iterator[None]:
    """Refuse what takes more processor time than anything small should."""
    started = time.process_time()
    yield
    taken = time.process_time() - started
    assert taken < SLOW_SECONDS, f"took {taken:.1f} s"


@contextmanager
def rolled_back() -> Iterator[None]:
    """Take back whatever a fold commits, as a test case does."""
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]  # lets a durable block be inside
    with outer:
        yield
        transaction.set_rollback(True)


# messages


def message(data: bytes) -> int:
    """What came from a broker: bytes, or whatever kombu has made of them."""
    kind, body = data[:1], data[1:]
    received = _Message(body, CONTENT_TYPE)
    if kind == b"t":
        received = _Message(body.decode("utf-8", "surrogateescape"), CONTENT_TYPE)
    elif kind == b"c":
        content_type, _, rest = body.partition(b"\n")
        received = _Message(rest, content_type.decode("latin-1"))
    with quickly():
        return check_fold(_decode("testapp.PageTotals", received))


class _Message:
    def __init__(self, body: Any, content_type: str) -> None:
        self.body, self.content_type = body, content_type
        self.errors: list[Any] = []


def decoder(data: bytes) -> int:
    """The message decoder: what it takes is the same after another journey."""
    with quickly():
        try:
            batch = batches.decode(data)
        except BadMessage:
            return 0
        check_journey(batch)
        return 1


def check_journey(batch: Batch) -> None:
    again = batches.decode(batches.encode(batch))
    assert replace(again, counts={}) == replace(batch, counts={})
    assert again.hits == batch.hits
    assert aggregate([again]) == aggregate([batch])


def counts(data: bytes) -> int:
    """The fold: of a batch whose ``counts`` are any JSON, for any data class."""
    label = _labels()[data[0] % len(_labels())] if data else "testapp.PageTotals"
    try:
        groups = json.loads(data[1:])
    except (ValueError, RecursionError):
        return 0
    content = {"v": 1, "id": ID, "class": label, "filtered": 0, "dropped": 0, "counts": groups}
    try:
        batch = batches.decode(json.dumps(content).encode())
    except (BadMessage, RecursionError):
        return 0
    with quickly():
        check_journey(batch)
        return check_fold(batch)


def _labels() -> list[str]:
    found = [m._meta.label for m in apps.get_models() if issubclass(m, TrackableData)]
    return [*found, "auth.User", "gone.Gone", "nonsense"]


def check_fold(item: Batch | Malformed) -> int:
    """Fold it, and see that each increment was counted or set aside, and no other is."""
    with rolled_back():
        try:
            report = fold(item.data_class, [item])
        except Error:
            return 0
        assert report.duplicate_batches == 0
        kept = list(QuarantinedMessage.objects.all())
        assert len(kept) == report.quarantined
        if isinstance(item, Batch):
            set_aside = sum(message.increments for message in kept)
            assert report.increments + set_aside == item.hits or set_aside >= (1 << 63) - 1
            for message in kept:
                batches.decode(message.payload.encode())
        again = fold(item.data_class, [item])
        assert again == FoldReport(duplicate_batches=1)
        return 1


# the journal


def journal(data: bytes) -> int:
    """The journal reader: every line is in a batch or damaged, and every batch can travel.

    Lines that begin with ``!`` get the checksum that belongs to them.
    """
    content = b"\n".join(_with_checksum(line) for line in data.split(b"\n"))
    with quickly():
        found = list(lines.count(content))
        number = sum(occurrences for _, occurrences in found)
        assert number >= sum(1 for line in content.split(b"\n")[:-1] if line)
        read = counting.of_lines(ID, content)
        tallies = sum(occurrences for cells, occurrences in found if cells and len(cells) == 3)
        assert number - tallies <= sum(batch.hits + batch.damaged for batch in read) <= number
        for batch in read:
            check_journey(batch)
        return number


def _with_checksum(line: bytes) -> bytes:
    return b"%08x %b" % (crc32(line[1:]), line[1:]) if line.startswith(b"!") else line


def folder(data: bytes) -> int:
    """A file of any name and content in the journal's folder: it keeps nothing from its way."""
    name, _, content = data.partition(b"\n")
    directory = Path(tempfile.mkdtemp(prefix="trackable-fuzz-"))
    try:
        with override_settings(TRACKABLE_JOURNAL_DIR=str(directory)), quickly(), rolled_back():
            _put(directory, name, content)
            segment, fd = segments.create(directory)
            os.write(fd, lines.encode("testapp.PageTotals", "testapp.Page", OWN, "", "views", 3))
            segments.seal(segment, fd)
            _fold_folder(directory)
            assert PageTotals.objects.get(object_id=OWN).views == 3
            return 1
    finally:
        shutil.rmtree(directory)


def _put(directory: Path, name: bytes, content: bytes) -> None:
    safe = name.replace(b"/", b"").replace(b"\0", b"")[:255]
    if safe not in (b"", b".", b".."):
        (directory / safe.decode("utf-8", "surrogateescape")).write_bytes(content)


def _fold_folder(directory: Path) -> None:
    segments.adopt(directory)
    for segment in segments.listing(directory, segments.SEALED, segments.SHIPPED):
        for batch in shipping.read(segment) or ():
            fold(batch.data_class, [batch])
    for later in (0.0, 700.0, 30 * 24 * 3600.0):
        settling.settle(directory, time.time() + later)


# access logs

_ROUTE: Final = Selection(pattern_of("/blog/<slug:slug>/"))
_REGEX: Final = Selection(pattern_of(r"^/(?P<slug>[^/]+)/?$"), keep_query=True)


def access_log(data: bytes) -> int:
    """The access-log parser, up to what objects are looked up by."""
    hits = 0
    for line in data.split(b"\n"):
        with quickly():
            hit = log_lines.parse(line)
            assert log_lines.printable(line).isprintable()
            if hit is None:
                continue
            hits += 1
            assert hit.when.tzinfo is not None
            request = request_of(hit.agent)
            assert request is None or isinstance(request.META.get("HTTP_USER_AGENT", ""), str)
            if hit.target is not None:
                as_logged(hit.target)
                for selection in (_ROUTE, _REGEX):
                    selection.takes(hit)
                    selection.captured(selection.key(hit.target))
    return hits


# visitors


def agent(data: bytes) -> int:
    """The verdict on a user agent."""
    text = data.decode("utf-8", "surrogateescape") if data[:1] == b"u" else data.decode("latin-1")
    with quickly():
        verdict = spiders.verdict(text)
    assert verdict is None or isinstance(verdict, str)
    assert spiders.verdict(text[: spiders.MAX_LENGTH]) == verdict
    return 1


_CLICKS: Final = {"queryset": Link, "message_op": "views", "url_field": "url"}

urlpatterns = [
    re_path(r"^links/(?P<object_id>(?s:.)*)/$", track_object, _CLICKS),
    path("pages/<path:slug>/", track_object, {**_CLICKS, "queryset": Page.objects}),
    path("numbers/<path:object_id>/", track_object, {**_CLICKS, "queryset": Page}),
    path("downloads/<path:object_id>/", track_object, {**_CLICKS, "queryset": Download}),
]


def visit(data: bytes) -> int:
    """A visit to ``track_object``: method, place, key, where it leads, query, headers, body.

    Parts end with a line end, and the body is the rest.
    """
    method, place, key, url, query, accept, fetch, user_agent, body = _parts(data, 9)
    verb = {b"P": "POST", b"H": "HEAD", b"O": "OPTIONS"}.get(method[:1], "GET")
    place_name = {b"p": "pages", b"n": "numbers", b"d": "downloads"}.get(place[:1], "links")
    headers = {"HTTP_ACCEPT": accept, "HTTP_SEC_FETCH_DEST": fetch, "HTTP_USER_AGENT": user_agent}
    environ = {name: value.decode("latin-1") for name, value in headers.items()}
    with rolled_back(), override_settings(ROOT_URLCONF=__name__), quickly():
        _object_at(place_name, key, url)
        response = Client(headers={"host": "example.org"}).generic(
            verb,
            f"/{place_name}/{quote_from_bytes(key, safe='')}/",
            body,
            content_type="application/x-www-form-urlencoded",
            QUERY_STRING=query.decode("latin-1"),
            **environ,
        )
    assert response.status_code in ANSWERS, response.status_code
    location = response.headers.get("Location", "")
    assert location.isascii()
    assert not location.lower().startswith(("javascript:", "data:"))
    return 1


def _object_at(place: str, key: bytes, url: bytes) -> None:
    """Have an object there if its key can be stored."""
    text = key.decode("utf-8", "replace").replace("\0", "")[:64]
    if place == "links" and text:
        text_of_url = url.decode("utf-8", "replace").replace("\0", "")[:200]
        Link.objects.create(code=text, url=text_of_url)


def admin(data: bytes) -> int:
    """The admin's lists and the page that tries an agent, with any query string.

    Django's own filters hand a NUL on to the database, and make a tree as deep as a search is
    long: that is no matter of ours.
    """
    page = PAGES[data[0] % len(PAGES)] if data else PAGES[0]
    query = data[1:MAX_QUERY_BYTES].replace(b"%00", b"").replace(b"\0", b"").decode("latin-1")
    with rolled_back(), quickly():
        look(page, query)
    return 1


def _parts(data: bytes, number: int) -> list[bytes]:
    found = data.split(b"\n", number - 1)
    return found + [b""] * (number - len(found))


TARGETS: Final[dict[str, Target]] = {
    target.__name__: target
    for target in (
        decoder,
        message,
        counts,
        journal,
        folder,
        access_log,
        agent,
        visit,
        admin,
    )
}


def forget() -> None:
    """Be as in a new process."""
    conf.forget()
    notices.forget()
    spiders.forget()
    LedgerEntry.objects.all().delete()
