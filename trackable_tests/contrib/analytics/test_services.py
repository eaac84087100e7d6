"""Services: chosen by the settings, and a fifth one made of a small class."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings

from trackable.contrib.analytics import services
from trackable.contrib.analytics.exceptions import RefusedError
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.options import token, url
from trackable.contrib.analytics.services import Request, Service
from trackable.contrib.analytics.services.campaigns import campaign_of
from trackable.contrib.analytics.testing import capture
from trackable_tests.tables import for_each


class FifthService(Service):
    """As the how-to shows it."""

    name = "fifth"
    options = {"url": url(is_required=True), "website": token("the website's id")}

    def request_for(self, hit: Hit, *, now: datetime) -> Request:
        if not hit.location:
            raise RefusedError("hits need a URL")
        event = {"website": self.option("website"), "url": hit.location, "title": hit.title}
        return self.post_json("/api/send", event, hits=[hit], user_agent=hit.user_agent)


PATH = f"{__name__}.FifthService"
HOW_TO = django_settings.BASE_DIR / "docs" / "how-to" / "analytics-services.md"


def test_no_settings_are_no_services() -> None:
    assert services.in_force() == ()


@for_each(
    "google, name, url",
    [
        ({"property": "UA-1-2"}, "universal", "https://www.google-analytics.com"),
        ({"property": "UA-1-2", "ssl": False}, "universal", "http://www.google-analytics.com"),
        ({"property": "UA-1-2", "url": "https://c.example"}, "universal", "https://c.example"),
        ({"property": "G-1", "api_secret": "x"}, "ga4", "https://www.google-analytics.com"),
    ],
)
def test_property_of_google_chooses_the_protocol(
    settings: Any, google: dict[str, Any], name: str, url: str
) -> None:
    settings.SERVER_SIDE_TRACKING_GA = google
    (service,) = services.in_force()
    assert (service.name, service.alias, service.url) == (name, "google", url)
    assert list(service.check()) == []


def test_several_services_have_aliases(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING_GA = {"property": "UA-1-2"}
    settings.SERVER_SIDE_TRACKING_SERVICES = {
        "matomo": {"url": "https://m.example", "site_id": 1},
        "shop": {"service": "matomo", "url": "https://m.example", "site_id": 2},
        "fifth": {"service": PATH, "url": "https://f.example", "website": "w"},
    }
    found = [(type(service).__name__, service.alias) for service in services.in_force()]
    assert found == [
        ("UniversalService", "google"),
        ("MatomoService", "matomo"),
        ("MatomoService", "shop"),
        ("FifthService", "fifth"),
    ]


def test_services_are_read_afresh_when_the_settings_change(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING_GA = {"property": "UA-1-2"}
    first = services.in_force()
    assert services.in_force() is first
    settings.SERVER_SIDE_TRACKING_GA = {"property": "UA-3-4"}
    assert services.in_force()[0].option("property") == "UA-3-4"


def test_service_that_cannot_be_made_leaves_the_others(settings: Any, caplog: Any) -> None:
    settings.SERVER_SIDE_TRACKING_SERVICES = {
        "wrong": {"service": "no.such.Service"},
        "odd": 7,
        "plausible": {"domain": "example.com"},
    }
    assert [service.alias for service in services.in_force()] == ["plausible"]
    assert "The service 'wrong' cannot be made (ModuleNotFoundError)" in caplog.text


def test_fifth_service_is_one_small_class(a_hit: Callable[..., Hit], caplog: Any) -> None:
    service = FifthService({"url": "https://f.example/", "website": "w1"})
    nowhere, here = a_hit(location=""), a_hit(title="Home")
    (request,) = service.requests_for([nowhere, here])
    assert (request.url, request.hits, request.host) == (
        "https://f.example/api/send",
        [here],
        "f.example",
    )
    assert json.loads(request.body) == {
        "website": "w1",
        "url": "https://example.com/page/?a=1",
        "title": "Home",
    }
    assert caplog.messages == ["The service 'fifth' does not get everything: hits need a URL."]


def test_fifth_service_of_the_how_to_works(a_hit: Callable[..., Hit]) -> None:
    blocks = re.findall(
        r"```python\n(# mysite/analytics.py\n.*?)```", HOW_TO.read_text(), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(blocks[0], names)
    service = names["UmamiService"]({"url": "https://u.example", "website": "w1"})
    values = {"category": "Video", "action": "Play"}
    page, event, nowhere = a_hit(), a_hit(kind="event", values=values), a_hit(location="")
    first, second = (json.loads(each.body) for each in service.requests_for([page, event, nowhere]))
    assert (first["type"], first["payload"]["website"]) == ("event", "w1")
    assert second["payload"]["name"] == "Video: Play"
    assert list(service.check()) == []


def test_parameters_of_the_how_to_are_those_of_a_hit() -> None:
    (block,) = re.findall(
        r"```python\n(from trackable.contrib.analytics.hits.*?)```", HOW_TO.read_text(), re.DOTALL
    )
    with capture() as found:
        exec(block, {})
    assert found[0].parameters == {"cg1": "/news"}


def test_what_is_refused_is_logged_once(a_hit: Callable[..., Hit], caplog: Any) -> None:
    service = FifthService({"url": "https://f.example", "website": "w1"})
    assert service.requests_for([a_hit(location="")] * 5) == []
    assert len(caplog.records) == 1


def test_options_of_a_service_are_checked() -> None:
    service = FifthService({"url": "ftp://f.example", "wesbite": "w"}, alias="mine")
    assert [(flaw.kind, flaw.message, flaw.hint) for flaw in service.check()] == [
        ("unknown", "The service 'mine' has no key 'wesbite'.", "Did you mean 'website'?"),
        (
            "wrong",
            "The service 'mine'['url'] is 'ftp://f.example'.",
            "It must be a URL such as 'https://example.com', without a query.",
        ),
        ("missing", "The service 'mine' lacks 'website'.", "It must be the website's id."),
    ]


@for_each("location", ["", "https://example.com/", "https://[/?utm_source=a",
                                      "https://example.com/?" + "utm_source=a&" * 300])  # fmt: skip
def test_url_that_says_nothing_of_a_campaign_is_read(location: str) -> None:
    assert campaign_of(location) == {}
