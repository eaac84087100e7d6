"""The demo as it is when its table is printed: pages whose counts are there, and charts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from trackable_tests.browser.tabs import LOOKS, Chromium, Look, Tab
from trackable_tests.test_demo import running_demo

pytestmark = [pytest.mark.slow, pytest.mark.vendor("sqlite")]


def test_demo_s_pages_show_charts_that_fit(
    tmp_path: Path, chromium: Chromium, picture: Callable[[str], Path]
) -> None:
    def walk(tab: Tab, url: str, look: Look) -> list[object]:
        tab.page.goto(url)
        tab.page.screenshot(path=picture(f"demo-home-{look}"), full_page=True)
        found: list[object] = [tab.overflow_pixels, tab.page.locator(".trackable-chart").count()]
        tab.page.locator("main table a").first.click()
        tab.page.screenshot(path=picture(f"demo-page-{look}"), full_page=True)
        return [*found, tab.overflow_pixels, tab.page.locator(".trackable-chart").count()]

    with running_demo(tmp_path, "--requests", "200", until="Ctrl-C") as (_, printed):
        url = re.search(r"http://\S+/", printed)
        assert url, printed
        for look in LOOKS:
            shown = chromium.browse(
                lambda tab, look=look: [*walk(tab, url[0], look), *tab.complaints], look=look
            )
            assert shown == [0, 1, 0, 1], look
