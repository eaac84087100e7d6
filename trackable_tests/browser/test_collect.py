"""The script of cached pages: each time that a page is shown counts once, by a real beacon."""

from __future__ import annotations

import time
from typing import Any

import pytest

from trackable.messaging import process_messages
from trackable_tests.browser.tabs import Chromium, Tab
from trackable_tests.testapp.models import Page, PageData

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.vendor("sqlite")]


@pytest.fixture
def page() -> Page:
    return Page.objects.create(title="Tides", slug="tides")


def folded(number: int) -> int:
    """Fold until so many have come; a beacon is sent when the browser has time for it."""
    deadline, found = time.monotonic() + 20, 0
    while found < number and time.monotonic() < deadline:
        found += process_messages()
        time.sleep(0.05)
    return found


def test_page_counts_once_under_a_strict_policy(site: Any, chromium: Chromium, page: Page) -> None:
    def read(tab: Tab) -> list[str]:
        with tab.page.expect_response("**/collect/"):
            tab.page.goto(f"{site.url}/pages/tides/")
        tab.page.wait_for_load_state("networkidle")
        return tab.complaints

    assert chromium.browse(read) == []
    assert folded(1) == 1
    assert PageData.objects.for_object(page).total("views") == 1


def test_coming_back_counts_again(site: Any, chromium: Chromium, page: Page) -> None:
    def go_and_return(tab: Tab) -> None:
        with tab.page.expect_response("**/collect/"):
            tab.page.goto(f"{site.url}/pages/tides/")
        tab.page.click("#other")
        with tab.page.expect_response("**/collect/"):
            tab.page.go_back()

    chromium.browse(go_and_return)
    assert folded(2) == 2
