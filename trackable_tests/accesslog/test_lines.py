"""Log lines are read leniently, exactly and whatever is in them."""

import locale
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trackable.accesslog.lines import MAX_LINE_BYTES, Hit, parse, printable, unescape
from trackable_tests.accesslog.logs import AGENT, line
from trackable_tests.tables import for_each

START = b'203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1"'


def hit(text: bytes) -> Hit:
    found = parse(text)
    assert found is not None
    return found


def test_combined_line_is_taken_apart() -> None:
    assert hit(line("/a?b=1", status=404)) == Hit(
        datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC), b"GET", b"/a?b=1", b"404", AGENT.encode()
    )


def test_common_line_has_no_agent() -> None:
    assert hit(line(agent=None)).agent is None


@for_each(
    "rest",
    [b"", b" 200", b" 200 -", b" 200 5", b' 200 5 "http://a/', b' 200 5 "-"', b' 200 5 "-" "me'],
)
def test_line_that_is_cut_off_after_the_request_is_a_hit(rest: bytes) -> None:
    assert hit(START + rest).target == b"/a"


def test_agent_whose_end_is_cut_off_is_read() -> None:
    assert hit(START + b' 200 5 "-" "Googlebot/2.1; +http://www').agent == (
        b"Googlebot/2.1; +http://www"
    )


def test_more_than_the_format_has_is_passed_over() -> None:
    assert hit(line() + b' "10.0.0.1" 0.003 -').agent == AGENT.encode()


@for_each("host", ["::1", "[2001:db8::1]", "2001:db8::1", "a.example", "-"])
def test_host_may_be_anything(host: str) -> None:
    assert hit(line(host=host)).target == b"/a"


def test_user_may_have_blanks_and_brackets() -> None:
    text = b'203.0.113.7 - John [x] Doe [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5'
    assert hit(text).target == b"/a"


def test_escaped_quotes_do_not_end_the_agent() -> None:
    assert hit(START + rb' 200 5 "-" "a \"b\" c\\" 7').agent == rb"a \"b\" c\\"


def test_escaped_quote_in_the_target_is_part_of_it() -> None:
    assert hit(line(r"/a\"b")).target == rb"/a\"b"


def test_quote_that_no_server_escaped_is_part_of_the_target() -> None:
    assert hit(line('/a"b')) == hit(line("/a"))._replace(target=b'/a"b')


@for_each("request_line", [b"-", b"", rb"\x16\x03\x01\x02", b"GET /a", b"GET"])
def test_what_is_no_request_has_no_target(request_line: bytes) -> None:
    found = hit(START.replace(b"GET /a HTTP/1.1", request_line) + b" 400 0")
    assert (found.method, found.target, found.status) == (None, None, b"400")


def test_target_ends_at_the_first_blank_as_for_awk() -> None:
    assert hit(line("/a b c")).target == b"/a"


@for_each("offset, hours", [("+0000", 0), ("-0000", 0), ("+0530", 5.5), ("-0330", -3.5)])
def test_time_keeps_its_offset(offset: str, hours: float) -> None:
    when = hit(line(time=f"17/May/2015:23:30:00 {offset}")).when
    assert when.replace(tzinfo=None) == datetime(2015, 5, 17, 23, 30)  # noqa: DTZ001
    assert when.utcoffset() == timedelta(hours=hours)


def test_months_are_english_whatever_the_locale() -> None:
    before = locale.setlocale(locale.LC_TIME)
    try:
        locale.setlocale(locale.LC_TIME, "")
        assert [hit(line(time=f"01/{m}/2015:00:00:00 +0000")).when.month for m in MONTHS] == [
            *range(1, 13)
        ]
    finally:
        locale.setlocale(locale.LC_TIME, before)


MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def test_leap_second_belongs_to_its_minute() -> None:
    assert hit(line(time="30/Jun/2015:23:59:60 +0000")).when.second == 59


@for_each(
    "time",
    [
        "31/Feb/2015:00:00:00 +0000",
        "17/Mai/2015:00:00:00 +0000",
        "17/May/2015:24:00:00 +0000",
        "17/May/2015:00:00:00 +9900",
        "17/May/2015:00:00:00",
        "17/May/0001:00:00:00 +0530",
        "17/May/9999:00:00:00 -0530",
        "2015-05-17T10:05:03+00:00",
    ],
)
def test_line_without_a_time_is_no_hit(time: str) -> None:
    assert parse(line(time=time)) is None


@for_each(
    "text", [b"", b"#Fields: date time", b"\0\0\0\0", START[:50], b"[17/May/2015] GET /a", b"\xff"]
)
def test_what_is_no_line_of_a_log_is_no_hit(text: bytes) -> None:
    assert parse(text) is None


def test_invalid_utf8_is_kept_as_it_is() -> None:
    text = START.replace(b"/a", b"/\xff\xfe") + b' 200 5 "-" "\xe9"'
    assert (hit(text).target, hit(text).agent) == (b"/\xff\xfe", b"\xe9")


def test_very_long_line_is_no_hit() -> None:
    assert parse(line("/" + "a" * (MAX_LINE_BYTES - 500))) is not None
    assert parse(line("/" + "a" * MAX_LINE_BYTES)) is None


@for_each(
    "text",
    [
        START[:-1] + b"\\" * 60_000,
        START + b' 200 5 "' + b"a" * 60_000,
        b"a [17/May/2015:10:05:03 +0000] " * 2000,
        b"a " + b'[17/May/2015:10:05:03 +0000] "' * 2000,
    ],
)
def test_nothing_in_a_line_makes_it_slow(text: bytes) -> None:
    assert (parse(text), parse(text[:60_000])) is not None


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(rest: bytes) -> None:
    parse(rest)
    parse(START + rest)
    parse(START[:47] + rest)


@for_each(
    "logged, sent",
    [
        (rb"a\"b", b'a"b'),
        (rb"\xc3\xA9", b"\xc3\xa9"),
        (rb"a\\b\t", b"a\\b\t"),
        (rb"\q", b"q"),
        (b"plain", b"plain"),
        (b"\\", b"\\"),
    ],
)
def test_escapes_are_undone(logged: bytes, sent: bytes) -> None:
    assert unescape(logged) == sent


def test_printable_does_nothing_to_a_terminal() -> None:
    assert printable(b"\x1b[31m\xe2\x80\xae\xff") == r"'\x1b[31m\u202e\\xff'"
    assert printable(b"a" * 200) == f"'{'a' * 160}' and 40 bytes more"
