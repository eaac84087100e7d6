"""Consent: the handshake of accepting and refusing, and browsers that say no by themselves."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from trackable.contrib.analytics import consent, exclusions
from trackable.contrib.analytics.observing import get_default_parameters
from trackable.contrib.analytics.telling import tell
from trackable.contrib.analytics.testing import capture
from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.pages import Browser
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls(pages.__name__)

YEARS_SECONDS = 63_072_000


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]


@pytest.fixture
def browser() -> Browser:
    return Browser()


def say(browser: Browser, action: str) -> None:
    """Do what a script of the page's does when a button is pressed."""
    browser.client.cookies["cookie_action"] = action


def test_nothing_is_kept_unless_it_is_accepted(browser: Browser) -> None:
    browser.get()
    browser.close()
    assert browser.cookies == {}


# accepting


def test_id_is_kept_after_acceptance(browser: Browser) -> None:
    browser.get()
    client_id = browser.hit.client_id
    say(browser, "accept")
    response = browser.get()
    assert browser.hit.client_id == client_id
    assert response.cookies["vn"]["max-age"] == YEARS_SECONDS
    browser.close()
    browser.get()
    assert browser.hit.client_id == client_id


def test_visit_goes_on_after_acceptance(browser: Browser) -> None:
    browser.get()
    text, session_id = browser.cookies["vn"], browser.hit.session_id
    say(browser, "accept")
    browser.get()
    assert (browser.cookies["vn"], browser.hit.session_id) == (text, session_id)


def test_scripts_can_read_that_they_need_not_ask(browser: Browser) -> None:
    say(browser, "accept")
    response = browser.get()
    status = response.cookies["cookie_status"]
    assert (status.value, status["max-age"]) == ("1", YEARS_SECONDS)
    assert (status["httponly"], status["secure"], status["samesite"]) == ("", True, "Lax")
    assert set(browser.cookies) == {"vn", "cookie_status"}
    assert (response["Vary"], response["Cache-Control"]) == ("Cookie", "private")


def test_id_of_who_has_accepted_is_kept_from_the_first(browser: Browser) -> None:
    browser.client.cookies["cookie_status"] = "1"
    assert browser.get().cookies["vn"]["max-age"] == YEARS_SECONDS
    assert not browser.get().cookies


# refusing


def test_visitor_who_refuses_is_forgotten(browser: Browser) -> None:
    browser.get()
    say(browser, "refuse")
    response = browser.get()
    assert browser.hits == []
    assert response.cookies["vn"].value == ""
    assert response.cookies["vn"]["max-age"] == 0
    assert browser.cookies == {"cookie_status": "0"}
    assert response.cookies["cookie_status"]["max-age"] == YEARS_SECONDS
    assert response["Cache-Control"] == "private"


def test_nothing_is_told_of_who_refuses_from_then_on(browser: Browser) -> None:
    say(browser, "refuse")
    browser.get()
    browser.close()
    for path in ("/page/", "/call/", "/counted/"):
        response = browser.get(path)
        assert (browser.hits, response.cookies) == ([], {})
    assert browser.cookies == {"cookie_status": "0"}


def test_visitor_may_change_his_mind(browser: Browser) -> None:
    browser.get()
    first = browser.hit.client_id
    for action in ("accept", "refuse", "accept"):
        say(browser, action)
        browser.get()
    assert browser.hit.client_id != first
    assert set(browser.cookies) == {"vn", "cookie_status"}
    assert browser.cookies["cookie_status"] == "1"


@for_each("path", ["/admin/", "/status/302/", "/status/404/", "/content/?type=a/b"])
def test_handshake_needs_no_page_that_is_tracked(browser: Browser, path: str) -> None:
    browser.get()
    say(browser, "refuse")
    browser.get(path)
    assert browser.cookies == {"cookie_status": "0"}


@pytest.mark.parametrize("path", ["/view/", "/call/"])
def test_handshake_needs_no_middleware(browser: Browser, settings: Any, path: str) -> None:
    settings.MIDDLEWARE = []
    browser.get(path)
    say(browser, "refuse")
    browser.get(path)
    assert (browser.hits, browser.cookies) == ([], {"cookie_status": "0"})
    say(browser, "accept")
    browser.get(path)
    assert browser.cookies["vn"].startswith(browser.hit.client_id)


@for_each("action", ["", "Accept", "maybe", "accept ", "a" * 5000, "0"])
def test_action_that_is_none_is_removed(browser: Browser, action: str) -> None:
    say(browser, action)
    response = browser.get()
    assert len(browser.hits) == 1
    assert response.cookies["vn"]["max-age"] == ""
    assert set(browser.cookies) == {"vn"}


@for_each("status", ["", "2", "accepted", "1" * 5000, "01"])
def test_status_that_is_none_decides_nothing(browser: Browser, status: str) -> None:
    browser.client.cookies["cookie_status"] = status
    assert browser.get().cookies["vn"]["max-age"] == ""
    assert len(browser.hits) == 1


def test_names_and_statuses_are_chosen(browser: Browser, settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {
        "cookie_action": "answer",
        "cookie_status": "answered",
        "cookie_status_refused": "no",
        "cookie_status_accepted": "yes",
        "cookie_max_age": 100,
    }
    browser.client.cookies["answer"] = "accept"
    assert browser.get().cookies["vn"]["max-age"] == 100
    assert browser.cookies["answered"] == "yes"
    browser.client.cookies["answer"] = "refuse"
    browser.get()
    assert browser.cookies == {"answered": "no"}
    browser.get()
    assert browser.hits == []


# forms


@pytest.mark.parametrize("middleware", [[], [pages.MIDDLEWARE]])
def test_form_accepts(browser: Browser, settings: Any, middleware: list[str]) -> None:
    browser.get("/view/")
    client_id = browser.hit.client_id
    settings.MIDDLEWARE = middleware
    response = browser.post("/decide/", {"answer": "yes"})
    assert response.cookies["vn"]["max-age"] == YEARS_SECONDS
    browser.close()
    browser.get("/view/")
    assert browser.hit.client_id == client_id


def test_form_accepts_before_there_is_an_id(browser: Browser) -> None:
    assert set(browser.post("/decide/", {"answer": "yes"}).cookies) == {"cookie_status"}
    assert browser.get().cookies["vn"]["max-age"] == YEARS_SECONDS


@pytest.mark.parametrize("middleware", [[], [pages.MIDDLEWARE]])
def test_form_refuses(browser: Browser, settings: Any, middleware: list[str]) -> None:
    browser.get("/view/")
    settings.MIDDLEWARE = middleware
    browser.post("/decide/", {"answer": "no"})
    assert browser.cookies == {"cookie_status": "0"}
    browser.get("/view/")
    assert browser.hits == []


def test_form_wins_over_a_script(browser: Browser) -> None:
    browser.get()
    say(browser, "accept")
    browser.post("/decide/", {"answer": "no"})
    assert browser.cookies == {"cookie_status": "0"}


def test_visitor_who_was_told_of_just_before_is_forgotten_too() -> None:
    request, response = RequestFactory().post("/"), HttpResponse()
    with capture() as hits:
        tell(request, "pageview")
        consent.refuse(request, response)
        tell(request, "pageview", response=response)
    assert len(hits) == 1
    assert set(response.cookies) == {"cookie_status"}


# before anybody is asked


def test_nothing_is_told_before_acceptance_if_that_is_required(
    browser: Browser, settings: Any
) -> None:
    settings.SERVER_SIDE_TRACKING = {"consent_required": True}
    browser.get()
    assert (browser.hits, browser.cookies) == ([], {})
    say(browser, "accept")
    browser.get()
    assert browser.hit.client_id in browser.cookies["vn"]
    say(browser, "refuse")
    browser.get()
    assert (browser.hits, browser.cookies) == ([], {"cookie_status": "0"})


# browsers that say no


@pytest.mark.parametrize(("key", "header"), [("respect_dnt", "DNT"), ("respect_gpc", "Sec-GPC")])
def test_browser_may_say_no_for_its_user(
    browser: Browser, settings: Any, key: str, header: str
) -> None:
    settings.SERVER_SIDE_TRACKING = {key: True}
    browser.get(headers={header: "1"})
    assert (browser.hits, browser.cookies) == ([], {})
    browser.get(headers={header: "0"})
    assert len(browser.hits) == 1
    settings.SERVER_SIDE_TRACKING = {key: False}
    browser.get(headers={header: "1"})
    assert len(browser.hits) == 1


def test_browsers_are_listened_to_without_a_setting(browser: Browser) -> None:
    browser.get(headers={"Sec-GPC": "1"})
    assert (browser.hits, browser.cookies) == ([], {})


def test_acceptance_is_no_answer_to_a_browser_that_says_no(browser: Browser) -> None:
    say(browser, "accept")
    browser.get(headers={"Sec-GPC": "1"})
    assert (browser.hits, browser.cookies) == ([], {"cookie_status": "1"})


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_browser_that_says_no_later_loses_its_id(browser: Browser, header: str) -> None:
    browser.get()
    assert "vn" in browser.cookies
    response = browser.get(headers={header: "1"})
    assert response.cookies["vn"]["max-age"] == 0
    assert (browser.hits, browser.cookies) == ([], {})


def test_id_that_comes_after_a_refusal_is_removed(browser: Browser) -> None:
    browser.get()
    browser.client.cookies["cookie_status"] = "0"
    browser.get()
    assert (browser.hits, browser.cookies) == ([], {"cookie_status": "0"})


def test_form_that_accepts_keeps_no_id_against_the_browser(browser: Browser) -> None:
    browser.get()
    request, response = RequestFactory().get("/", headers={"Sec-GPC": "1"}), HttpResponse()
    request.COOKIES.update(browser.cookies)
    consent.accept(request, response)
    assert set(response.cookies) == {"cookie_status"}


@for_each(
    "headers, keys",
    [({"Sec-GPC": "1"}, {}), ({"DNT": "1"}, {}), ({}, {"consent_required": True})],
)
def test_default_parameters_bring_no_cookie_that_is_not_allowed(
    settings: Any, headers: dict[str, str], keys: dict[str, Any]
) -> None:
    settings.SERVER_SIDE_TRACKING = keys
    response = HttpResponse()
    get_default_parameters(RequestFactory().get("/", headers=headers), response)
    assert not response.cookies


@pytest.mark.parametrize("path", ["/page/", "/view/"])
def test_refusal_is_carried_out_though_telling_fails(
    browser: Browser, settings: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    settings.MIDDLEWARE = [] if path == "/view/" else [pages.MIDDLEWARE]
    browser.get(path)
    monkeypatch.setattr(exclusions, "is_own", fail)
    say(browser, "refuse")
    browser.get(path)
    assert browser.cookies == {"cookie_status": "0"}
