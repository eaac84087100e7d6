"""The admin's pages, at two widths, light and dark: pictures of each, and what can be measured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse
from django.utils import timezone

from trackable.models import FilteredHits, Spider
from trackable_tests.browser.tabs import LOOKS, Chromium, Tab
from trackable_tests.testapp.models import Page, PageData

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.vendor("sqlite")]

DAYS = 60
TITLES = ["Tides of the North Sea", "Harbours", "A much longer title of a page about lighthouses"]


@pytest.fixture
def pages(site: Any) -> list[Page]:
    """Pages with two months of views: a week's rhythm, and one of them rising."""
    made = [Page.objects.create(title=title, slug=f"page-{n}") for n, title in enumerate(TITLES)]
    kind = ContentType.objects.get_for_model(Page)
    today = timezone.localdate()
    PageData.objects.bulk_create(
        PageData(
            content_type=kind,
            object_id=page.pk,
            collected_during=today - timedelta(days=ago),
            views=(40 + 25 * (ago % 7) + (DAYS - ago) * (9 * n)) // (n + 1),
        )
        for n, page in enumerate(made)
        for ago in range(DAYS)
    )
    spiders = ContentType.objects.get_for_model(Spider)
    FilteredHits.objects.create(
        content_type=spiders, object_id="Googlebot/", collected_during=today, hits=1200
    )
    return made


@pytest.fixture
def paths(pages: list[Page]) -> dict[str, str]:
    """The pages to look at, by the names of their pictures."""
    return {
        "index": reverse("admin:index"),
        "change-form": reverse("admin:testapp_page_change", args=[pages[0].pk]),
        "statistics": reverse(
            "admin:testapp_pagedata_statistics", args=["testapp.page", pages[2].pk]
        ),
        "list": reverse("admin:testapp_pagedata_changelist"),
        "overview": reverse("admin:testapp_pagedata_overview"),
        "health": reverse("admin:trackable_health"),
        "filtered": reverse("admin:trackable_spider_filtered"),
        "quarantine": reverse("admin:trackable_quarantinedmessage_changelist"),
        "ledger": reverse("admin:trackable_ledgerentry_changelist"),
    }


def test_every_page_fits_and_complains_of_nothing(
    site: Any,
    chromium: Chromium,
    cookies: Any,
    paths: dict[str, str],
    picture: Callable[[str], Path],
) -> None:
    faults = {}
    for look in LOOKS:

        def walk(tab: Tab, look: Any = look) -> None:
            for name, path in paths.items():
                response = tab.page.goto(site.url + path)
                tab.page.screenshot(path=picture(f"admin-{name}-{look}"), full_page=True)
                status = response.status if response else None
                found = (status, [*tab.complaints], max(0, tab.overflow_pixels))
                tab.complaints.clear()
                if found != (200, [], 0):
                    faults[f"{name} at {look}"] = found

        chromium.browse(walk, look=look, cookies=cookies)
    assert faults == {}


def test_statistics_can_be_chosen_and_read_without_a_mouse(
    site: Any, chromium: Chromium, cookies: Any, paths: dict[str, str]
) -> None:
    def use_keys(tab: Tab) -> tuple[str, list[str], str]:
        page = tab.page
        page.goto(site.url + paths["statistics"])
        page.locator("#id_period").focus()
        page.keyboard.press("ArrowUp")
        for _ in range(5):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.type") == "submit":
                break
        with page.expect_navigation():
            page.keyboard.press("Enter")
        rows = page.locator("#content table").first.locator("tbody tr").all_inner_texts()
        spoken = page.locator(".trackable-chart[role=img]").first.get_attribute("aria-label")
        return page.url, rows, spoken or ""

    url, rows, spoken = chromium.browse(use_keys, cookies=cookies)
    assert "period=7" in url
    assert len(rows) == 1 + 7
    total = rows[0].split("\t")[1]
    assert total.strip() in spoken
