"""Local answers: what comes back by a redirect comes at once, or by a redirect."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware
from django.test import AsyncClient, Client
from django.utils import translation

from trackable.contrib.beacons import links, middleware
from trackable.contrib.beacons.models import Beacon
from trackable.gif import NEVER_CACHED
from trackable.testing import Outbox
from trackable_tests.contrib.campaigns.models import ExternalLink, Ticket
from trackable_tests.tables import for_each

URLS = "trackable_tests.contrib.beacons.pages"
HERE = "trackable_tests.contrib.beacons.test_local"

pytestmark = [pytest.mark.django_db, pytest.mark.urls(URLS)]

Go = Callable[..., Any]


@pytest.fixture(autouse=True)
def without_second_requests(settings: Any) -> None:
    settings.IGNORE_LOCAL_REDIRECTS = True


@pytest.fixture
def go(client: Client, outbox: Outbox) -> Go:
    """Follow a beacon to a target with this address, and see that it was recorded once."""

    def follow(
        url: str, *, method: str = "get", through: str = "go", recorded: int = 1, **extra: Any
    ) -> Any:
        outbox.clear()
        link = ExternalLink.objects.create(pk=uuid.uuid4(), url=url)
        response = getattr(client, method)(f"/{through}/{link.pk}/?a=own", **extra)
        assert len(outbox.records) == recorded * (method == "get")
        return response

    return follow


def is_redirect(response: Any, url: str) -> bool:
    return (response.status_code, response.headers.get("Location")) == (302, url)


# what the view is given


def test_page_comes_at_once(go: Go) -> None:
    response = go("/told/?b=1&c=%C3%BC")
    assert response.status_code == 200
    assert response.json() == {
        "path": "/told/",
        "path_info": "/told/",
        "full": "/told/?b=1&c=%C3%BC",
        "get": "b=1&c=%C3%BC",
        "name": "told",
        "meta": ["/told/", "b=1&c=%C3%BC"],
        "kwargs": {},
    }


@pytest.mark.parametrize("url", ["/told/a b/ü/c/", "/told/a%20b/%C3%BC/c/"])
def test_path_is_decoded_as_a_server_does(go: Go, client: Client, url: str) -> None:
    said = go(url).json()
    assert said["kwargs"] == {"rest": "a b/ü/c", "extra": 1}
    assert said == client.get("/told/a%20b/%C3%BC/c/").json()


def test_it_is_off_unless_it_is_set(go: Go, settings: Any) -> None:
    settings.IGNORE_LOCAL_REDIRECTS = False
    assert is_redirect(go("/told/"), "/told/")
    del settings.IGNORE_LOCAL_REDIRECTS
    assert is_redirect(go("/told/"), "/told/")


def test_whole_address_of_this_site_is_here(go: Go) -> None:
    assert go("http://testserver/told/").json()["path"] == "/told/"
    assert go("https://testserver/told/", secure=True).json()["path"] == "/told/"


@for_each(
    "url",
    [
        "https://testserver/told/",
        "http://testserver:81/told/",
        "http://other.example/told/",
        "http://testserver.other.example/told/",
        "https://example.org/",
    ],
)
def test_other_schemes_hosts_and_ports_are_elsewhere(go: Go, url: str) -> None:
    assert is_redirect(go(url), url)


def test_root_of_a_host_is_a_path_too(go: Go, settings: Any) -> None:
    assert is_redirect(go("http://testserver"), "http://testserver")  # there is no such page


@for_each(
    "url",
    [
        "/told/#there",
        "/told/#",
        "/none-such",
        "/told",
        "/told/../page/",
        "/told/%2E%2E/page/",
        "/told/./a/",
        "/told/%FF/",
        "/alone/../told/",
    ],
)
def test_what_a_browser_would_ask_otherwise_is_a_redirect(go: Go, url: str) -> None:
    assert is_redirect(go(url), url)


# views of every kind


@pytest.mark.parametrize("url", ["/later/", "/class/"])
def test_async_views_are_waited_for(go: Go, url: str) -> None:
    assert go(url).json()["path"] == url


@for_each("url", ["/told/", "/later/", "/class/"])
def test_asgi_answers_as_wsgi_does(outbox: Outbox, url: str) -> None:
    link = ExternalLink.objects.create(url=f"{url}?b=1")
    said = async_to_sync(AsyncClient().get)(f"/go/{link.pk}/").json()
    assert (said["full"], said["meta"]) == (f"{url}?b=1", [url, "b=1"])
    assert len(outbox.records) == 1


def test_templates_are_rendered(go: Go) -> None:
    assert go("/page/").content.startswith(b"page of /page/ ")


def test_streams_are_streamed(go: Go) -> None:
    assert b"".join(go("/streamed/").streaming_content) == b"page of /streamed/"


def test_errors_of_the_view_are_those_of_the_page(go: Go) -> None:
    response = go("/absent/")
    assert (response.status_code, response.content) == (404, b"lost")
    assert {name: response[name] for name in NEVER_CACHED} == NEVER_CACHED
    assert go("/forbidden/").status_code == 403


def test_redirect_of_the_page_is_passed_on(go: Go) -> None:
    assert is_redirect(go("/moved/"), "/page/")


def test_head_is_answered_as_the_page_does(go: Go) -> None:
    response = go("/told/", method="head")
    assert (response.status_code, response.content) == (200, b"")


def test_sessions_and_tokens_of_the_view_are_kept(go: Go, client: Client) -> None:
    response = go("/cookies/")
    assert {"sessionid", "csrftoken"} <= response.cookies.keys()
    assert client.session["seen"] is True


# what may keep the answer


@for_each("url", ["/told/", "/page/", "/cached/", "/streamed/", "/tagged/"])
def test_page_is_never_cached_under_the_beacon_s_address(go: Go, url: str) -> None:
    cache.clear()
    for _ in range(2):
        response = go(url)
        assert {name: response[name] for name in NEVER_CACHED} == NEVER_CACHED


def test_page_s_own_cache_keeps_the_page_s_own_headers(go: Go, client: Client) -> None:
    cache.clear()
    content = go("/cached/").content
    response = client.get("/cached/")
    assert response.content == content  # from the cache: it has the same serial
    assert response["Cache-Control"] == "max-age=60"
    assert not response.has_header("Pragma")


def test_links_from_the_page_do_not_tell_the_beacon_s_address(go: Go) -> None:
    assert go("/told/")["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert go("/cookies/")["Referrer-Policy"] == "no-referrer"


@for_each("url", ["/told/", "/page/"])
@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("same-origin", "same-origin"),
        (["no-referrer", "origin"], "no-referrer,origin"),
        (None, "strict-origin-when-cross-origin"),
    ],
)
def test_site_s_own_policy_of_referrers_is_in_force(
    go: Go, settings: Any, policy: Any, said: str, url: str
) -> None:
    settings.SECURE_REFERRER_POLICY = policy
    use(settings, "django.middleware.security.SecurityMiddleware")
    assert go(url)["Referrer-Policy"] == said


class Stricter(SecurityMiddleware):
    """Is a site's own."""


def test_policy_of_middleware_that_is_made_of_django_s_is_in_force(go: Go, settings: Any) -> None:
    use(settings, f"{HERE}.plain", f"{HERE}.Stricter")
    assert go("/told/")["Referrer-Policy"] == "same-origin"


# beacons that lead to beacons


@pytest.mark.parametrize("through", ["go", "go-too"])
def test_beacon_that_leads_to_a_beacon_is_a_redirect(go: Go, through: str) -> None:
    other = ExternalLink.objects.create(url="/told/")
    for url in (f"/go/{other.pk}/", f"/go-too/{other.pk}/", f"/b/{links.sign(links.Link())}/"):
        assert is_redirect(go(url, through=through), url)


def test_beacon_that_leads_to_itself_ends(client: Client, outbox: Outbox) -> None:
    link = ExternalLink.objects.create()
    for path in ("go", "go-too", "through"):
        ExternalLink.objects.update(url=f"/{path}/{link.pk}/")
        for start in ("go", "through"):
            response = client.get(f"/{start}/{link.pk}/")
            assert is_redirect(response, f"/{path}/{link.pk}/")
    assert len(outbox.records) == 8  # a view of the project's is taken for a page, once


# middleware


def use(settings: Any, *paths: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *paths]


class Guard:
    """Refuses everybody, before a view is called."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        return None if request.path.startswith("/go/") else HttpResponse("refused", status=403)


def made_guard(get_response: Any) -> Any:
    return Guard(get_response)


def plain(get_response: Any) -> Any:
    return lambda request: get_response(request)


def unused(get_response: Any) -> Any:
    raise middleware.MiddlewareNotUsed


@pytest.mark.parametrize("guard", ["Guard", "made_guard"])
def test_middleware_that_guards_views_is_not_passed_by(
    go: Go, client: Client, settings: Any, guard: str
) -> None:
    use(settings, f"{HERE}.{guard}")
    assert middleware.guards() == (f"{HERE}.{guard}",)
    assert is_redirect(go("/told/"), "/told/")
    assert client.get("/told/").status_code == 403


def reading(get_response: Any) -> Any:
    def answer(request: HttpRequest) -> HttpResponse:
        assert request.GET
        return get_response(request)

    return answer


def test_parameters_that_were_read_before_are_those_of_the_target(go: Go, settings: Any) -> None:
    use(settings, f"{HERE}.reading")
    assert go("/told/?b=1").json()["get"] == "b=1"


def test_login_that_is_required_is_not_passed_by(client: Client, settings: Any) -> None:
    use(settings, "django.contrib.auth.middleware.LoginRequiredMiddleware")
    link = ExternalLink.objects.create(url="/told/")
    url = links.beacon_url(link)
    assert is_redirect(client.get(url), "/told/")  # whoever has the link may follow it
    assert "/accounts/login/" in client.get("/told/")["Location"]
    assert "/accounts/login/" in client.get(f"/go/{link.pk}/")["Location"]


def test_other_middleware_is_no_guard(go: Go, settings: Any) -> None:
    use(settings, f"{HERE}.plain", f"{HERE}.unused")
    use(settings, "django.contrib.admindocs.middleware.XViewMiddleware")
    assert middleware.guards() == ()
    assert go("/told/").status_code == 200


def test_middleware_that_cannot_be_looked_at_is_a_guard(settings: Any) -> None:
    settings.MIDDLEWARE = [f"{HERE}.broken"]
    assert middleware.guards() == (f"{HERE}.broken",)


def broken(get_response: Any) -> Any:
    raise RuntimeError("no event loop")


# where the site is


def test_site_under_a_prefix_is_here(client: Client, outbox: Outbox) -> None:
    link = ExternalLink.objects.create(url="/site/told/")
    response = client.get(f"/go/{link.pk}/", SCRIPT_NAME="/site")
    assert response.json()["path"] == "/site/told/"
    assert response.json()["path_info"] == "/told/"


def test_path_outside_of_the_prefix_is_elsewhere(client: Client, outbox: Outbox) -> None:
    for url in ("/told/", "/sites/told/", "/site"):
        link = ExternalLink.objects.create(pk=uuid.uuid4(), url=url)
        assert is_redirect(client.get(f"/go/{link.pk}/", SCRIPT_NAME="/site"), url)


def other_urls(get_response: Any) -> Any:
    def answer(request: HttpRequest) -> HttpResponse:
        request.urlconf = "trackable_tests.contrib.beacons.urls"  # type: ignore[attr-defined]
        return get_response(request)

    return answer


def test_urlconf_of_the_request_is_used(client: Client, settings: Any, outbox: Outbox) -> None:
    use(settings, f"{HERE}.other_urls")
    link = ExternalLink.objects.create(url="/articles/tides/")
    response = client.get(f"/links/{link.pk}/")
    assert response.content == b"tides /articles/tides/"


@for_each(
    "url, language, name",
    [
        ("/words/", "en", "words"),
        ("/words/", "de", None),
        ("/de/words/", "de", "words"),
        ("/de/words/", "en", None),
        ("/fr/words/", "de", None),
        ("/xx/words/", "en", "anything"),
    ],
)
def test_page_in_another_language_is_a_redirect(
    go: Go, client: Client, settings: Any, url: str, language: str, name: str | None
) -> None:
    settings.LANGUAGE_CODE = "en"
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware", f"{HERE}.in_language"]
    with translation.override("en"):
        response = go(url, headers={"X-Language": language})
        if name is None:
            assert is_redirect(response, url)
        else:
            assert response.json()["name"] == name == client.get(url).json()["name"]


def in_language(get_response: Any) -> Any:
    """Speak the language that a visitor has chosen, whatever the path says."""

    def answer(request: HttpRequest) -> HttpResponse:
        if language := request.headers.get("X-Language"):
            translation.activate(language)
        return get_response(request)

    return answer


# transactions


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


@pytest.mark.usefixtures("atomic_requests")
@for_each("through", ["go", "through", "through-alone"])
def test_page_that_fails_undoes_its_own_work_alone(go: Go, settings: Any, through: str) -> None:
    settings.BEACON_SYNCHRONOUS = True
    assert go("/undone/", through=through, recorded=0).status_code == 404
    assert not Ticket.objects.exists()
    assert Beacon.objects.count() == (through != "through")  # there its own view fails too


def test_page_outside_of_transactions_undoes_nothing(go: Go, client: Client) -> None:
    for get in (go, client.get):
        assert get("/undone/").status_code == 404
    assert Ticket.objects.count() == 2


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize("url", ["/later/", "/class/"])
def test_async_views_have_no_part_in_transactions(go: Go, url: str) -> None:
    assert is_redirect(go(url), url)


def test_view_that_wants_no_transaction_gets_none(go: Go, request: pytest.FixtureRequest) -> None:
    assert go("/alone/").status_code == 200
    request.getfixturevalue("atomic_requests")
    assert is_redirect(go("/alone/"), "/alone/")
    assert go("/told/").status_code == 200
