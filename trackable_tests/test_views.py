"""``track_object``: counts a visit and sends the visitor on, whatever the visitor sends."""

import uuid
from typing import Any

import pytest
from django.core.exceptions import DisallowedRedirect
from django.db import models
from django.http import Http404, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import isolate_apps
from django.urls import path, re_path
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.exceptions import TrackableError, UnknownField
from trackable.messaging import process_messages, send_decrement_message, send_increment_message
from trackable.models import LedgerEntry
from trackable.views import track_object
from trackable_tests.counting import a_page, total
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageTotals,
)

pytestmark = pytest.mark.django_db

CLICKS = {"queryset": Link, "message_op": "views", "url_field": "url"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ELSEWHERE = "https://example.org/?a=1&b=ü"

urlpatterns = [
    re_path(r"^links/(?P<object_id>.*)/$", track_object, CLICKS),
    path("pages/<slug:slug>/", track_object, {**CLICKS, "queryset": Page.objects}),
    path("downloads/<str:object_id>/", track_object, {**CLICKS, "queryset": Download}),
]


@pytest.fixture(autouse=True)
def own_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def link() -> Link:
    return Link.objects.create(code="a", url=ELSEWHERE)


class Emits:
    """Stands for ``send_increment_message``, and keeps what it was called with."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.error = error

    def __call__(self, request: Any, obj: Any, field: str, /, **kwargs: Any) -> None:
        self.calls.append((obj, field, kwargs["data_cls"], kwargs["options"]))
        if self.error is not None:
            raise self.error


def visit(
    queryset: Any = Link, emits: Any = None, *, method: str = "get", **kwargs: Any
) -> HttpResponse:
    headers = kwargs.pop("headers", {"Accept": BROWSER})
    request = getattr(RequestFactory(), method)("/", headers=headers)
    return track_object(request, queryset, "views", emits or Emits(), **kwargs)


# where it goes


def test_visitor_is_sent_to_the_url_of_the_object(link: Link) -> None:
    response = visit(object_id="a", url_field="url")
    assert response.status_code == 302
    assert response["Location"] == "https://example.org/?a=1&b=%C3%BC"


@isolate_apps("trackable_tests.testapp")
def test_absolute_url_comes_last() -> None:
    class Placed(Link):
        def get_absolute_url(self) -> str:
            return f"/placed/{self.code}/"

        class Meta:
            proxy = True
            app_label = "testapp"

    Placed.objects.create(code="a", url="")
    assert visit(Placed, object_id="a")["Location"] == "/placed/a/"
    assert visit(Placed, object_id="a", url_field="url")["Location"] == "/placed/a/"


def test_function_comes_first_and_gets_the_options(link: Link) -> None:
    def place(obj: Link, options: dict[str, Any]) -> str:
        return f"/{obj.code}/{options.pop('where')}/"

    emits = Emits()
    response = visit(
        emits=emits, object_id="a", url_field="url", redirect_func=place, where="there"
    )
    assert response["Location"] == "/a/there/"
    assert emits.calls == [(link, "views", None, {"where": "there"})]


def test_file_is_sent_to_its_url() -> None:
    class File:
        name = "manual.pdf"
        url = "/media/manual.pdf"

    link = Link(code="a")
    link.file = File()  # type: ignore[attr-defined]
    queryset = Link.objects.all()
    queryset.get = lambda **_: link  # type: ignore[method-assign]
    queryset.all = lambda: queryset  # type: ignore[method-assign]
    assert visit(queryset, object_id="a", url_field="file")["Location"] == File.url


def test_model_manager_and_queryset_will_do(link: Link) -> None:
    for objects in (Link, Link.objects, Link.objects.all()):
        assert visit(objects, object_id="a", url_field="url").status_code == 302


def test_queryset_of_the_urlconf_is_not_kept(link: Link) -> None:
    queryset = Link.objects.all()
    assert list(queryset) == [link]
    Link.objects.create(code="later", url=ELSEWHERE)
    assert visit(queryset, object_id="later", url_field="url").status_code == 302


def test_queryset_narrows_what_is_found(link: Link) -> None:
    with pytest.raises(Http404):
        visit(Link.objects.exclude(code="a"), object_id="a", url_field="url")


@for_each("url", ["javascript:alert(1)", "data:text/html,x", "http://[::1"])
def test_nobody_is_sent_to_a_script(url: str) -> None:
    Link.objects.create(code="a", url=url)
    emits = Emits()
    with pytest.raises(DisallowedRedirect):
        visit(emits=emits, object_id="a", url_field="url")
    assert Client().get("/links/a/", headers={"Accept": BROWSER}).status_code == 400
    assert emits.calls == []


@for_each("sent", ["next", "url", "redirect_func", "url_field", "object_id"])
def test_visitor_does_not_say_where_to_go(link: Link, client: Client, sent: str) -> None:
    response = client.get("/links/a/", {sent: "https://evil.example/"})
    assert response["Location"].startswith("https://example.org/")


def test_object_without_a_url_is_not_found_here(link: Link) -> None:
    Link.objects.update(url="")
    with pytest.raises(Http404, match="This link leads nowhere"):
        visit(object_id="a", url_field="url")


def test_class_without_a_url_is_an_error_with_its_cure(link: Link) -> None:
    with pytest.raises(
        TrackableError, match=r"testapp\.Link has no URL .* define get_absolute_url"
    ):
        visit(object_id="a")


def test_pattern_without_an_object_is_an_error_with_its_cure() -> None:
    with pytest.raises(TrackableError, match="capture one of them in the URL pattern"):
        visit(url_field="url")


# what is counted


@pytest.mark.django_db(transaction=True)
def test_visits_are_folded() -> None:
    link = Link.objects.create(code="a", url=ELSEWHERE)
    client = Client()
    for _ in range(3):
        assert client.get(f"/links/{link.code}/").status_code == 302
    assert client.head("/links/a/").status_code == 302
    assert client.post("/links/a/").json() is True
    assert process_messages() == 4
    assert total(LinkData) == 4
    assert LedgerEntry.objects.exists()


def test_emitting_function_gets_class_counter_and_options(link: Link) -> None:
    emits = Emits()
    visit(emits=emits, object_id="a", url_field="url", trackable_cls=LinkData, value=3)
    assert emits.calls == [(link, "views", LinkData, {"value": 3})]


@pytest.mark.django_db(transaction=True)
def test_the_same_options_count_the_same_each_time() -> None:
    page = a_page()
    options = {"value": 3, "trackable_cls": PageTotals, "redirect_func": lambda *_: "/"}
    for _ in range(2):
        visit(Page, send_increment_message, object_id=page.pk, **options)
    visit(Page, send_decrement_message, object_id=page.pk, **{**options, "value": 1})
    assert options["value"] == 3
    process_messages()
    assert total(PageTotals) == 5


def test_absent_object_is_not_counted() -> None:
    emits = Emits()
    with pytest.raises(Http404):
        visit(emits=emits, object_id="a", url_field="url")
    assert emits.calls == []


@pytest.mark.parametrize("debug", [True, False])
def test_emit_that_fails_does_not_keep_the_visitor(
    link: Link, settings: Any, debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = debug
    response = visit(emits=Emits(OSError("disk full")), object_id="a", url_field="url")
    assert response.status_code == 302
    assert "A visit to testapp.Link was not counted." in caplog.text


def test_errors_of_the_program_show_under_debug(link: Link, settings: Any) -> None:
    emits = Emits(UnknownField("no such counter"))
    assert visit(emits=emits, object_id="a", url_field="url").status_code == 302
    settings.DEBUG = True
    with pytest.raises(UnknownField):
        visit(emits=emits, object_id="a", url_field="url")


# who asks


@for_each(
    "method, headers, script",
    [
        ("get", {"Accept": BROWSER}, False),
        ("get", {"Accept": BROWSER, "Sec-Fetch-Dest": "document"}, False),
        ("get", {"Accept": "*/*"}, False),
        ("get", {}, False),
        ("get", {"Accept": "image/*"}, False),
        ("get", {"Accept": "text/html, application/json"}, False),
        ("get", {"Accept": "nonsense"}, False),
        ("get", {"Accept": BROWSER, "X-Requested-With": "XMLHttpRequest"}, True),
        ("get", {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}, True),
        ("get", {"Accept": "application/json"}, True),
        ("get", {"Accept": "text/html;q=0.5, application/json"}, True),
        ("post", {"Accept": "*/*"}, True),
        ("post", {}, True),
        ("post", {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}, True),
        ("post", {"Accept": BROWSER, "Sec-Fetch-Dest": "document"}, False),
    ],
)
def test_scripts_get_json_and_people_a_redirect(
    link: Link, method: str, headers: dict[str, str], script: bool
) -> None:
    emits = Emits()
    response = visit(emits=emits, method=method, headers=headers, object_id="a", url_field="url")
    assert len(emits.calls) == 1
    if script:
        assert (response.status_code, response.content) == (200, b"true")
        assert response["Content-Type"] == "application/json"
    else:
        assert (response.status_code, response.content) == (302, b"")


def test_script_needs_no_url(link: Link) -> None:
    assert visit(object_id="a", headers={"Accept": "application/json"}).content == b"true"


def test_head_is_answered_and_not_counted(link: Link) -> None:
    emits = Emits()
    response = visit(emits=emits, method="head", object_id="a", url_field="url")
    assert (response.status_code, emits.calls) == (302, [])


@for_each("method", ["put", "patch", "delete", "options"])
def test_other_methods_are_not_allowed(link: Link, method: str) -> None:
    emits = Emits()
    response = visit(emits=emits, method=method, object_id="a", url_field="url")
    assert (response.status_code, emits.calls) == (405, [])
    assert response["Allow"] == "GET, HEAD, POST"


def test_beacon_needs_no_token(link: Link) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/links/a/", b"", content_type="text/plain").json() is True


@pytest.mark.parametrize("accept", [BROWSER, "application/json"])
def test_answers_are_never_cached(link: Link, client: Client, accept: str) -> None:
    response = client.get("/links/a/", headers={"Accept": accept})
    assert "no-store" in response["Cache-Control"]


# what a visitor may send

NASTY = ["abc", "", " ", "0", "-1", "1.5", "9" * 30, "9" * 5000, "1e5", "NaN", "None", "true"]
NASTY += ["\0", "a\0b", "ü", "\U0001f600", "\ud800", "'; DROP TABLE x; --", "%00", "../..", "\n"]
NASTY += ["a" * 10_000, "{}", "[]", str(uuid.UUID(int=0)), str(-(2**63)), str(2**63), "\u0661"]


@for_each("model", [Page, Link, Download])
@for_each("value", NASTY)
def test_malformed_ids_are_not_found(model: type[models.Model], value: str) -> None:
    with pytest.raises(Http404):
        visit(model, object_id=value, url_field="url")


@for_each("value", NASTY)
def test_malformed_slugs_are_not_found(value: str) -> None:
    with pytest.raises(Http404):
        visit(Page, slug=value, redirect_func=lambda *_: "/")


@examples(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_any_text_is_found_or_not(value: str) -> None:
    for model in (Page, Link, Download):
        with pytest.raises(Http404):
            visit(model, object_id=value, url_field="url")


@for_each("url", ["/links/%00/", "/links/%ED%A0%80/", "/links/%0A/", "/links//"])
def test_malformed_urls_are_not_found(client: Client, url: str) -> None:
    assert client.get(url).status_code == 404


def test_slug_finds_by_the_field_that_the_pattern_names(client: Client) -> None:
    page = a_page("first")
    emits = Emits()
    visit(Page, emits, slug="first", redirect_func=lambda *_: "/")
    visit(Page, emits, slug="first", slug_field="title", redirect_func=lambda *_: "/")
    assert [call[0] for call in emits.calls] == [page, page]


@pytest.mark.django_db(transaction=True)
def test_uuids_are_found_in_either_form() -> None:
    download = Download.objects.create(title="manual")
    for value in (download.pk, str(download.pk), download.pk.hex):
        visit(Download, send_increment_message, object_id=value, redirect_func=lambda *_: "/")
    process_messages()
    assert total(DownloadData) == 3
    assert total(PageData) == 0
