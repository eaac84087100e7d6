"""The view: answers 204 to whatever it is sent, and counts what a page of this site shows."""

import logging
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.collect import views
from trackable.collect.tokens import MAX_BYTES, token_of
from trackable.messaging import process_messages
from trackable.testing import Outbox
from trackable_tests.collect.conftest import OWN, URL, Tell
from trackable_tests.counting import a_page, counts
from trackable_tests.testapp.models import Page, PageData, PageVisitors

TOKEN = token_of(Page(pk=5), "views")


def reason(response: HttpResponse) -> str | None:
    """Return why a visit was not counted; the answer must be as it always is."""
    assert (response.status_code, response.content) == (204, b"")
    assert response["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response
    return response.get("X-Trackable")


@pytest.mark.django_db(transaction=True)
def test_a_page_from_a_cache_is_counted_exactly(tell: Tell, client: Client) -> None:
    page = a_page()
    html = client.get("/pages/a/").content.decode()
    token = html.partition('data-token="')[2].partition('"')[0]
    assert [reason(tell(token)) for _ in range(3)] == [None] * 3
    process_messages()
    assert list(counts(PageData).values()) == [3]
    assert [key for key, _ in counts(PageData)] == [page.pk]


@pytest.mark.django_db(transaction=True)
def test_visitors_are_counted_once(tell: Tell) -> None:
    token = token_of(a_page(), "visitors")
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        assert reason(tell(token, REMOTE_ADDR=address)) is None
    process_messages()
    assert PageVisitors.objects.total("visitors") == 2


def test_no_sql_runs(tell: Tell, outbox: Outbox, django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        assert reason(tell(TOKEN)) is None
    assert [(each.object_id, each.amount) for each in outbox] == [("5", 1)]


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "options", "patch"])
def test_other_methods_are_not_allowed(client: Client, outbox: Outbox, method: str) -> None:
    response = getattr(client, method)(URL, headers=OWN)
    assert (response.status_code, response["Allow"], outbox) == (405, "POST", [])


def test_a_bad_token_counts_nothing(tell: Tell, outbox: Outbox) -> None:
    for token in ("", "x", TOKEN[:-1], TOKEN + "x", b"\xff\x00", "ü" * 10, ":" * 100):
        assert reason(tell(token)) == "bad token"
    assert outbox == []


def test_of_a_long_body_nothing_is_read(outbox: Outbox) -> None:
    class Unread:
        def read(self, *_: Any) -> bytes:
            raise AssertionError("read")

    for length in (MAX_BYTES + 1, 10**9, "9" * 5000, "-1", "x", None):
        request = RequestFactory().post(URL, "x", content_type="text/plain", headers=OWN)
        request.META["CONTENT_LENGTH"] = length
        request._stream = Unread() if length not in ("-1", "x", None) else request._stream
        assert reason(views.collect(request)) in ("too long", "bad token")
    assert outbox == []


def test_other_sites_cannot_have_their_visitors_counted(
    tell: Tell, outbox: Outbox, settings: Any
) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://example.org"}
    for headers in (
        elsewhere,
        {"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://example.org"},
        {"Origin": "http://[::1"},
        {"Origin": "null"},
        {},
    ):
        assert reason(tell(TOKEN, headers)) == "other origin"
    settings.TRACKABLE_COLLECT_ORIGINS = ["https://example.org"]
    assert reason(tell(TOKEN, elsewhere)) is None
    assert len(outbox) == 1


def test_browsers_without_fetch_metadata_are_told_by_their_origin(
    tell: Tell, outbox: Outbox
) -> None:
    assert reason(tell(TOKEN, {"Origin": "https://testserver"})) is None
    assert len(outbox) == 1


def test_crawlers_are_tallied_and_not_counted(
    tell: Tell, outbox: Outbox, settings: Any, db: None
) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    assert reason(tell(TOKEN, {**OWN, "User-Agent": "Googlebot/2.1"})) == "crawler"
    assert (outbox, outbox.filtered) == ([], {"testapp.PageData": 1})


def test_a_visitor_has_a_limit_for_each_page(tell: Tell, outbox: Outbox, settings: Any) -> None:
    settings.TRACKABLE_COLLECT_RATE = "2/999d"
    other = token_of(Page(pk=6), "views")
    said = [reason(tell(TOKEN, REMOTE_ADDR="192.0.2.1")) for _ in range(3)]
    assert said == [None, None, "rate limited"]
    assert reason(tell(TOKEN, REMOTE_ADDR="192.0.2.2")) is None
    assert reason(tell(other, REMOTE_ADDR="192.0.2.1")) is None
    assert len(outbox) == 4


def test_a_page_may_be_counted_without_a_limit(
    tell: Tell, outbox: Outbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACKABLE_COLLECT_RATE = None
    monkeypatch.setattr(cache, "incr", None)
    assert [reason(tell(TOKEN)) for _ in range(3)] == [None] * 3


def test_whatever_fails_is_logged_once_and_escaped(
    tell: Tell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> bool:
        raise RuntimeError("disk full\nERROR forged")

    monkeypatch.setattr(views, "send_increment_message", fail)
    assert [reason(tell(TOKEN)) for _ in range(3)] == ["error"] * 3
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert r"disk full\nERROR forged" in record.getMessage()


HOSTILE = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(min_size=1, max_size=30).map(lambda end: TOKEN.encode() + end),
    st.integers(0, len(TOKEN)).map(lambda place: TOKEN.encode()[:place] + b":\x00"),
    st.just(b"x" * 3000),
)
HEADERS = st.dictionaries(
    st.sampled_from(["Origin", "Sec-Fetch-Site", "X-Forwarded-For", "User-Agent", "Content-Type"]),
    st.text(st.characters(codec="latin-1"), max_size=100) | st.sampled_from(["same-origin"]),
)


@pytest.mark.slow
@examples(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=HOSTILE, headers=HEADERS, method=st.sampled_from(["POST", "POST", "GET", "TRACE"]))
def test_nothing_that_is_sent_raises_or_is_counted(
    outbox: Outbox, body: bytes, headers: dict[str, str], method: str
) -> None:
    client = Client()
    sent = {"Sec-Fetch-Site": "same-origin", **headers}
    response = client.generic(method, URL, body, headers=sent)
    assert (response.status_code, response.content) == (204 if method == "POST" else 405, b"")
    assert outbox == []
