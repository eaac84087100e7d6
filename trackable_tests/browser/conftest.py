"""Fixtures: a browser, a site for it to look at, and a place for its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.test import Client

from trackable_tests import services

if TYPE_CHECKING:
    from trackable_tests.browser.tabs import Chromium

PICTURES = Path(__file__).parent.parent.parent / "build" / "screenshots"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    from trackable_tests.browser import tabs

    path = tabs.path_of_browser()
    if path is None:
        services.missing("No Chromium: install it, or set TRACKABLE_TEST_CHROMIUM to its path.")
        raise AssertionError("the line above does not return")
    with tabs.chromium(path) as found:
        yield found


@pytest.fixture(scope="session")
def live_server(django_db_setup: None, live_server: Any) -> Any:
    """The server after the databases: before, it would take SQLite's for one in memory.

    Such a one has a single connection, which threads of the server would use at once.
    """
    return live_server


@pytest.fixture
def site(live_server: Any, settings: Any) -> Any:
    """A site that is served to the browser under a strict policy."""
    settings.ROOT_URLCONF = "trackable_tests.browser.urls"
    settings.MIDDLEWARE = [
        "trackable_tests.browser.policy.StrictPolicy",
        *django_settings.MIDDLEWARE,
    ]
    return live_server


@pytest.fixture
def cookies(site: Any) -> list[dict[str, Any]]:
    """The session of somebody who may do everything in the admin."""
    somebody = get_user_model().objects.create_superuser("ann", "ann@example.com", "secret")
    client = Client()
    client.force_login(somebody)
    value = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    return [{"name": django_settings.SESSION_COOKIE_NAME, "value": value, "url": site.url}]


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Where a picture of a page is kept, for people to look at."""

    def place(name: str) -> Path:
        PICTURES.mkdir(parents=True, exist_ok=True)
        return PICTURES / f"{name}.png"

    return place
