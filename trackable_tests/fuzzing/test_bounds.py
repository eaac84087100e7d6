"""What is small, or long and monotonous, takes little memory and time."""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any, Final

import pytest

from trackable import batches, spiders
from trackable.exceptions import BadMessage
from trackable_tests.fuzzing.pages import PAGES, look
from trackable_tests.fuzzing.targets import ID, access_log, agent, counts, message, quickly

LENGTH: Final = 50_000
MEMORY_BYTES: Final = 16 << 20
LOG_BYTES: Final = 64 << 10

HEAD: Final = b"1 - - [17/May/2015:10:05:03 +0000] "
UNITS: Final = (
    b'"',
    b'\\"',
    b'" ',
    b' "',
    b"[",
    b"\\",
    b"a ",
    b" ",
    b"\t",
    b"\xff",
    b"%41",
    b"/",
    b"\\x41",
    b'" 200 1 "',
    b'" 200 - ',
    b'\\" [17/May/2015:10:05:03 +0000] ',
    HEAD,
    HEAD + b'"',
)
AGENTS: Final = (
    "android 1;",
    "Android (4.4; de-de; ",
    "compatible; ",
    "compatible;",
    "bot",
    "(",
    "a@a-",
    "a@a.",
    "https",
    "www.",
    "mozilla/5.0 ",
    "mozilla ",
    "1.",
    "-",
    " ",
    "%20",
    "\ud800",
    "İ",
    "technology preview (ecosia ",
)


def with_parts(**parts: Any) -> bytes:
    whole = {"v": 1, "id": ID, "class": "a.B", "filtered": 0, "dropped": 0, "counts": [], **parts}
    return json.dumps(whole).encode()


def with_counts(text: str) -> bytes:
    return with_parts(counts="here").replace(b'"here"', text.encode())


MESSAGES: Final = {
    "nesting": b"[" * LENGTH,
    "nested objects": b'{"a":' * LENGTH,
    "long integer": b"9" * LENGTH,
    "long integer within": with_counts('[["p","","views",{"1":%s}]]' % ("9" * LENGTH)),
    "integer of 4000 digits": with_counts('[["p","","views",{"1":%s}]]' % ("9" * 4000)),
    "exponent": with_counts('[["p","","views",{"1":1e999999}]]'),
    "float that is infinite in sum": with_counts('[["p","","views",{"1":1.7e308,"2":1.7e308}]]'),
    "decimal with an exponent": with_counts('[["p","","revenue",{"1":["1e999999",1]}]]'),
    "long decimal": with_counts('[["p","","revenue",{"1":["%s",1]}]]' % ("9" * LENGTH)),
    "infinity": with_counts('[["p","","seconds",{"1":Infinity,"2":NaN}]]'),
    "long label": with_parts(**{"class": "a." + "b" * LENGTH}),
    "long id": with_parts(id="0" * LENGTH),
    "version": with_parts(v=10**4000),
    "long key": with_counts('[["testapp.Page","","views",{"%s":1}]]' % ("9" * LENGTH)),
    "long parent, period and field": with_counts(
        '[["%s","%s","%s",{"1":1}]]' % (("x" * LENGTH,) * 3)
    ),
    "many groups": with_counts(f"[{','.join(['[]'] * 10_000)}]"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", MESSAGES)
def test_a_small_message_takes_little_memory(name: str) -> None:
    message(b"b{}")  # what is loaded once does not count
    tracemalloc.start()
    try:
        message(b"b" + MESSAGES[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES


@pytest.mark.django_db
@pytest.mark.parametrize("period", ["", "2026-11-21", "0001-01-01", "9999-12-31", "9" * 5000])
@pytest.mark.parametrize("object_id", ["1", "-1", "9" * 5000, "1e400", "NaN", " 1", "\u0661", ""])
def test_any_key_is_counted_or_set_aside(period: str, object_id: str) -> None:
    groups = [["testapp.Page", period, field, {object_id: 1}] for field in ("views", "seconds")]
    body = json.dumps(groups).encode()
    assert [counts(bytes([label]) + body) for label in range(15)] == [1] * 15


def test_what_is_too_long_is_not_even_read() -> None:
    body = bytes(batches.MAX_MESSAGE_BYTES + 1)
    tracemalloc.start()
    try:
        with pytest.raises(BadMessage):
            batches.decode(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES


def test_no_depth_is_deep_enough_for_a_recursion_error() -> None:
    """What is read in one depth of the stack is written, for the reason, in another."""
    limit = sys.getrecursionlimit()
    for depth in range(limit - 80, limit + 5):
        deep = "[" * depth + "]" * depth
        for amount in (deep, f"[1,{deep}]"):
            text = '[["p","","f",{"1":' + amount + "}]]"
            with pytest.raises(BadMessage):
                batches.decode(with_counts(text))


@pytest.mark.parametrize("head", [b"", HEAD, HEAD + b'"', HEAD + b'"GET /'])
@pytest.mark.parametrize("unit", UNITS)
def test_a_log_line_takes_time_in_proportion_to_its_length(head: bytes, unit: bytes) -> None:
    body = unit * (LOG_BYTES // len(unit))
    for tail in (b"", b'" 200', b'x" 200 1 "-" "'):
        line = (head + body)[: LOG_BYTES - len(tail)] + tail
        with quickly():
            assert access_log(line) <= 1
        assert len(line) > LOG_BYTES - 50


@pytest.mark.django_db
@pytest.mark.parametrize("unit", AGENTS)
def test_an_agent_takes_no_time_however_long_it_is(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    for data in (text.encode("utf-8", "surrogatepass"), b"u" + text.encode("utf-8", "ignore")):
        with quickly():
            assert agent(data) == 1
    assert spiders.verdict(text) == spiders.verdict(text[: spiders.MAX_LENGTH])


BIG: Final = "9" * 30
QUERIES: Final[tuple[Any, ...]] = (
    "q=%00",
    "q=%ED%A0%80",
    f"q={BIG}",
    "q=1e400",
    f"object_id={BIG}",
    f"views__gt={BIG}",
    f"content_type__id__exact={BIG}",
    f"collected_during__year={BIG}",
    "collected_during__year=0",
    "collected_during__year=2026&collected_during__month=2&collected_during__day=31",
    "collected_during__gte=9999-12-31",
    f"o={BIG}",
    f"p={BIG}",
    "model=%00",
    "class=%00",
    "agent=%00",
    "agent=%ED%A0%80",
    "_to_field=%00",
)


@pytest.mark.django_db
@pytest.mark.parametrize("query", QUERIES)
def test_no_query_string_is_too_much_for_the_admin(query: str) -> None:
    answers = {page: look(page, query) for page in PAGES}
    assert 200 in answers.values(), answers
