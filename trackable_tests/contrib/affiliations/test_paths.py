"""Redirects go to the path as the browser wrote it, whatever that is, and never to another host."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from trackable.contrib.affiliations.paths import path_of

#: paths as a browser may write them, each of which is kept
WRITTEN = [
    *("/", "/a%2Fb/", "/caf%C3%A9/", "/caf%c3%a9/", "/a;b=1/@c:d", "/b%20c", "/%FF/%E9"),
    *("/%2Fevil.example", "/%5Cevil.example", "/.//evil.example", "/%7Ebob/~x/|{}^`", "/[x]"),
    *("/50%25/%zz/%", "/%252F%25FF", "/a%0d%0aSet-Cookie:x", "/a%3Fb%23c", "/%09/evil.example"),
]
#: paths that would lead to another host, or end too soon
UNFIT = {
    "//evil.example/x": "/%2Fevil.example/x",
    "///evil.example": "/%2F/evil.example",
    "/\\evil.example": "/%5Cevil.example",
    "/\t/evil.example": "/%09/evil.example",
    "/a#b": "/a%23b",
    "": "/",
}


def wsgi(written: str, *, name: str = "RAW_URI", **environ: str) -> HttpRequest:
    """Make a request as a server under WSGI does, that keeps the line of it."""
    path = unquote_to_bytes(written).decode("latin-1")
    environ = {"PATH_INFO": path, name: f"{written}?affiliate_id=1", **environ}
    return WSGIRequest({**RequestFactory()._base_environ(), **environ})


def asgi(written: str, **scope: Any) -> HttpRequest:
    read = unquote_to_bytes(written).decode("utf-8", "replace")
    given = {"path": read, "raw_path": written.encode("latin-1"), **scope}
    return ASGIRequest({"type": "http", "method": "GET", "headers": [], **given}, None)


def test_path_is_kept_byte_for_byte_where_the_server_keeps_it() -> None:
    for written in WRITTEN:
        assert path_of(wsgi(written)) == written
        assert path_of(wsgi(written, name="REQUEST_URI")) == written
        assert path_of(asgi(written)) == written


def test_path_never_leads_to_another_host() -> None:
    for written, expected in UNFIT.items():
        assert path_of(wsgi(written)) == path_of(wsgi(written, name="nowhere")) == expected
        assert path_of(asgi(written)) == path_of(asgi(written, raw_path=b"")) == expected


def test_what_a_server_keeps_counts_only_if_it_is_the_path() -> None:
    for kept in ("//evil.example/", "/other", "http://evil.example/a/", "", "*", "/\u4f60"):
        assert path_of(wsgi("/a/", RAW_URI=kept)) == "/a/"
        assert path_of(asgi("/a/", raw_path=kept.encode())) == "/a/"
    assert path_of(asgi("/a/", raw_path=None)) == "/a/"


def test_what_a_proxy_has_taken_away_is_put_in_front_again() -> None:
    for script, expected in {"/shop": "/shop/a%2Fb/", "/caf\xc3\xa9": "/caf%C3%A9/a%2Fb/"}.items():
        assert path_of(wsgi("/a%2Fb/", SCRIPT_NAME=script)) == expected
    assert path_of(wsgi("/a/", SCRIPT_NAME="/shop", RAW_URI="/sh%6Fp/a/")) == "/sh%6Fp/a/"


def test_path_that_is_no_utf_8_is_written_as_such_without_help_too() -> None:
    for written in ("/%FF/caf%E9/", "/caf%C3%A9/%C3x/", "/%252F/50%25/"):
        assert path_of(wsgi(written, name="nowhere")) == written


@given(path=st.binary(max_size=20), kept=st.text(max_size=20))
def test_whatever_comes_is_a_path_of_this_host(path: bytes, kept: str) -> None:
    for request in (
        wsgi("/", PATH_INFO=path.decode("latin-1"), RAW_URI=kept),
        asgi("/", path=path.decode("utf-8", "replace"), raw_path=kept.encode()),
    ):
        found = path_of(request)
        assert found.isascii()
        assert found.isprintable()
        assert urlsplit(urljoin("http://shop.example/x", found)).netloc == "shop.example"
