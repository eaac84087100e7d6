"""URLs of partners are taken apart once, and what is odd about one is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import settings as searching
from hypothesis import strategies as st

from trackable.contrib.affiliations.destinations import Refused, parse
from trackable_tests.tables import for_each


@for_each(
    "url, called",
    {
        "http://partner.example": "http://partner.example/",
        "HTTPS://Partner.Example:443/a?b=1#c": "https://partner.example/a?b=1",
        "http://partner.example:8080/?v=7": "http://partner.example:8080/?v=7",
        "http://partner.example./x": "http://partner.example/x",
        "https://[2001:DB8::1]:8443/x": "https://[2001:db8::1]:8443/x",
        "https://brücke.example/ä?ö=%C3%BC": "https://xn--brcke-lva.example/%C3%A4?%C3%B6=%C3%BC",
        "https://partner.example?v=7&&x=a+b;c": "https://partner.example/?v=7&&x=a+b;c",
        "https://192.0.2.1/%2e%2E/": "https://192.0.2.1/%2e%2E/",
        'https://partner.example/"<>^`{}': "https://partner.example/%22%3C%3E%5E%60%7B%7D",
    }.items(),
)
def test_url_is_called_as_it_is_meant(url: str, called: str) -> None:
    assert parse(url).url == called


def test_host_header_names_the_port_unless_it_is_the_schemes() -> None:
    urls = ("http://a.example:80/", "https://a.example:80/", "http://[2001:db8::1]:8080/")
    assert [parse(url).authority for url in urls] == [
        "a.example",
        "a.example:80",
        "[2001:db8::1]:8080",
    ]


@for_each(
    "url, reason",
    {
        "": "neither http nor https",
        "//partner.example/": "neither http nor https",
        "file:///etc/passwd": "neither http nor https",
        "gopher://partner.example/": "neither http nor https",
        "http:///x": "no name",
        "http://user:password@partner.example/": "user name",
        "http://partner.example@169.254.169.254/": "user name",
        "http://@partner.example/": "user name",
        "http://partner.example\\@127.0.0.1/": "backslashes",
        "http://partner.example/ HTTP/1.1": "spaces",
        "http://partner.example/\r\nX: y": "control characters",
        "http://partner.example/\u00a0": "spaces",
        "ht\ttp://partner.example/": "control characters",
        "http://[::1/": "no URL",
        "http://partner.example:port/": "no URL",
        "http://partner.example:99999/": "no URL",
        "http://partner.example\uff0f@x/": "no URL",
        "http://partner.example:22/": "port 22",
        "http://partner.example:0/": "port 0",
        "http://[fe80::1%25eth0]/": "zone",
        "http://[fe80::1%eth0]/": "zone",
        "http://[v1.x]/": "zone",
        "http://partner..example/": "no name",
        "http://-partner.example/": "no name",
        "http://partner.example../": "no name",
        f"http://{'a' * 64}.example/": "no name",
        f"http://{'a.' * 127}example/": "no name",
        "http://straße.example/": "in ASCII",
        "http://part%6eer.example/": "no name",
        f"http://partner.example/{'a' * 4000}": "too long",
    }.items(),
)
def test_odd_url_is_refused(url: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        parse(url)


@for_each(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "127.0.0.0x1",
        "127.0.0.01",
        "1.2.3.256",
        "0x",
        "127.0.0.1.1",
        "\uff11\uff12\uff17.1",
        "127\u30021",
    ],
)
def test_address_in_an_odd_spelling_is_refused(host: str) -> None:
    with pytest.raises(Refused, match=r"odd spelling|no URL"):
        parse(f"http://{host}/")


def test_dots_and_digits_of_other_scripts_are_read_as_the_resolver_reads_them() -> None:
    host = "\uff11\uff12\uff17\u30020.0\uff0e1"
    assert str(parse(f"http://{host}/").address) == "127.0.0.1"


def test_literal_address_is_told_from_a_name() -> None:
    assert parse("http://8.8.8.8/").address is not None
    assert parse("http://partner.example/").address is None


PIECES = st.sampled_from(
    [
        *("http", "https", ":", "//", "/", "@", "?", "#", "[", "]", ".", "%", "\\", "::1", "127"),
        *("0x7f", "a.example", "xn--", "\u3002", "\uff0f", "\u00df", "\u212a", "{", "+", "\ud800"),
        *(" ", ":80"),
    ]
)


BASES = st.sampled_from(["http://", "http://a.example/", ""])
RESTS = st.text() | st.lists(PIECES, max_size=12).map("".join)


@searching(max_examples=500, deadline=None)
@given(st.tuples(BASES, RESTS).map("".join))
@example("http://[::ffff:127.0.0.1]:8080")
@example("http://a.example/\ud800")
def test_whatever_is_given_is_refused_or_is_what_is_called(url: str) -> None:
    try:
        destination = parse(url)
    except Refused:
        return
    assert parse(destination.url) == destination
    assert destination.url.isascii()
    assert not set(destination.authority) & set("/?#@\\% ")
