"""Badges: an image that many ask for, and few pay for."""

from __future__ import annotations

import time
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.http import HttpRequest
from django.test import Client
from django.urls import path
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy

from trackable.badges import BadBadge, TrackableBadge
from trackable.caching import remembered
from trackable_tests.testapp.models import Link, Page, PageData

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class OwnBadge(TrackableBadge):
    """Shows a page to those who know its title."""

    def has_permission(self, request: HttpRequest, obj: Any) -> bool:
        return request.GET.get("title") == obj.title


PAGE = {"model": Page, "field": "views", "label": "views"}

urlpatterns = [
    path("badge/<int:pk>.svg", TrackableBadge.as_view(**PAGE)),
    path("week/<slug:slug>.svg", TrackableBadge.as_view(**PAGE, days=7)),
    path("today/<slug:slug>.svg", TrackableBadge.as_view(**PAGE, days=1)),
    path("own/<int:pk>.svg", OwnBadge.as_view(**PAGE)),
    path("any/<path:pk>.svg", TrackableBadge.as_view(**PAGE)),
    path("link/<path:pk>.svg", TrackableBadge.as_view(**{**PAGE, "model": Link})),
    path(
        "some/<int:pk>.svg",
        TrackableBadge.as_view(queryset=Page.objects.filter(slug="a"), field="views", label="v"),
    ),
]


@pytest.fixture
def page() -> Page:
    """A page with 1234 views today."""
    cache.clear()
    page = Page.objects.create(title="A", slug="a")
    PageData.objects.create(parent=page, collected_during=timezone.localdate(), views=1234)
    ContentType.objects.get_for_model(Page)  # which Django remembers
    return page


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [time.time()]
    monkeypatch.setattr("trackable.caching.time.time", lambda: moment[0])
    return moment


def shown(content: bytes) -> list[str | None]:
    """Return the texts on a badge, left to right."""
    return [e.text for e in ElementTree.fromstring(content).iter() if e.tag.endswith("}text")]


def test_badge_shows_label_and_total(client: Client, page: Page) -> None:
    response = client.get(f"/badge/{page.pk}.svg")
    assert shown(response.content) == ["views", "1,234"]
    assert response["Content-Type"] == "image/svg+xml"
    assert response["Cache-Control"] == "public, max-age=60"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert shown(client.get("/week/a.svg").content) == ["views", "1,234"]


def test_those_who_have_it_get_nothing_new(client: Client, page: Page) -> None:
    response = client.get(f"/badge/{page.pk}.svg")
    again = client.get(f"/badge/{page.pk}.svg", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["Cache-Control"] == "public, max-age=60"
    head = client.head(f"/badge/{page.pk}.svg")
    assert (head.status_code, head.content) == (200, b"")
    assert client.post(f"/badge/{page.pk}.svg").status_code == 405


def test_many_who_ask_cost_two_queries_a_minute(
    client: Client, page: Page, now: list[float], django_assert_num_queries: Any
) -> None:
    url = f"/badge/{page.pk}.svg"
    with django_assert_num_queries(2):  # the object, and its total
        first = [client.get(url).content for _ in range(3)]
    PageData.objects.update(views=1235)
    now[0] += 59
    with django_assert_num_queries(0):
        assert client.get(f"{url}?nothing=sent").content == first[0]
        assert client.get(f"/badge/00{page.pk}.svg").content == first[0]
    now[0] += 1
    with django_assert_num_queries(2):
        assert (
            shown(client.get(url).content) == shown(client.get(url).content) == ["views", "1,235"]
        )


def test_old_badge_is_shown_while_another_request_makes_it_anew(now: list[float]) -> None:
    cache.clear()
    assert remembered("key", lambda: "old", seconds=60) == "old"
    now[0] += 60

    def make() -> str:
        assert remembered("key", lambda: pytest.fail("made twice"), seconds=60) == "old"
        return "new"

    assert remembered("key", make, seconds=60) == "new"
    assert remembered("key", lambda: "newer", seconds=60) == "new"


def test_what_is_not_there_is_remembered_too(
    client: Client, page: Page, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        responses = [client.get("/badge/404404.svg") for _ in range(3)]
    assert {response.status_code for response in responses} == {404}
    assert responses[0]["Cache-Control"] == "public, max-age=60"
    assert responses[0].content == b""


def test_whatever_is_asked_for_never_fails(client: Client, page: Page) -> None:
    for key in ("99999999999999999999999", "x", "a%00b", "%ED%A0%80", "<script>", "-1", "1" * 500):
        assert client.get(f"/any/{key}.svg").status_code == 404
        assert client.get(f"/link/{key}.svg").status_code == 404


def test_hidden_objects_are_not_there(client: Client, page: Page) -> None:
    other = Page.objects.create(title="B", slug="b")
    assert client.get(f"/some/{page.pk}.svg").status_code == 200
    assert client.get(f"/some/{other.pk}.svg").status_code == 404


def test_permission_is_asked_each_time_and_nobody_else_keeps_the_image(
    client: Client, page: Page
) -> None:
    allowed = client.get(f"/own/{page.pk}.svg?title=A")
    refused = client.get(f"/own/{page.pk}.svg")
    assert (allowed.status_code, refused.status_code) == (200, 404)
    for response in (allowed, refused):
        assert response["Cache-Control"] == "private, max-age=60"
        assert response["Vary"] == "Authorization, Cookie"


def test_language_is_the_sites_whoever_asks(client: Client, page: Page, settings: Any) -> None:
    with translation.override("de"):
        assert shown(client.get(f"/badge/{page.pk}.svg").content) == ["views", "1,234"]
    settings.LANGUAGE_CODE = "de"
    assert shown(client.get(f"/badge/{page.pk}.svg").content) == ["views", "1.234"]


def test_today_is_the_sites_whoever_asks(client: Client, page: Page) -> None:
    is_morning = timezone.now().hour < 12
    with timezone.override("Etc/GMT+12" if is_morning else "Etc/GMT-14"):
        assert timezone.localdate() != timezone.now().date()
        assert shown(client.get("/today/a.svg").content) == ["views", "1,234"]


def test_look_is_checked_at_the_start() -> None:
    wrong: list[dict[str, Any]] = [
        {"field": ""},
        {"label": ""},
        {"label": "a\nb"},
        {"label": "x" * 65},
        {"color": "red"},
        {"color": '#fff" onload="x'},
        {"label_color": None},
        {"days": 0},
        {"max_age_seconds": 0.5},
    ]
    for options in wrong:
        with pytest.raises(BadBadge):
            TrackableBadge.as_view(**{**PAGE, **options})
    with pytest.raises(TypeError, match="colour"):
        TrackableBadge.as_view(**PAGE, colour="#fff")
    assert TrackableBadge.as_view(**{**PAGE, "label": gettext_lazy("Views"), "color": "#fff"})


def test_letters_are_dark_on_what_is_bright_and_fill_their_room() -> None:
    from trackable.charts.badges import badge

    svg = ElementTree.fromstring(badge("<v>", "1", color="#fff", label_color="#000000"))
    left, right = [each for each in svg.iter() if each.tag.endswith("}text")]
    assert (left.text, left.get("fill"), right.get("fill")) == ("<v>", "#fff", "#222")
    assert svg.get("aria-label") == "<v>: 1"
    assert int(left.get("textLength", "")) == 25  # (818 + 591 + 818) * 11 / 1000, rounded up
