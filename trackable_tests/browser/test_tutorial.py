"""The end of the tutorial, as its reader sees it: pictures of it go into the docs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trackable_tests.browser.tabs import Chromium, Look, Tab
from trackable_tests.test_tutorial import PAGE, STATISTICS, Reader

pytestmark = [pytest.mark.slow, pytest.mark.vendor("sqlite")]


def cookies_of(reader: Reader) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{reader.port}"
    return [{"name": each.name, "value": each.value, "url": url} for each in reader.cookies]


def test_statistics_of_the_tutorial_show_a_chart_that_fits(
    tmp_path: Path, chromium: Chromium, picture: Callable[[str], Path]
) -> None:
    reader = Reader(PAGE.read_text(), tmp_path)

    def look(tab: Tab, file: Path) -> tuple[int, bool]:
        tab.page.goto(f"http://127.0.0.1:{reader.port}{STATISTICS}")
        tab.page.screenshot(path=file)
        return tab.overflow_pixels, tab.page.locator(".trackable-chart").first.is_visible()

    try:
        reader.follow()
        for is_dark in (False, True):
            file = picture(f"tutorial-statistics-{'dark' if is_dark else 'light'}")
            shown = Look(height=760, is_dark=is_dark)
            found = chromium.browse(
                lambda tab, file=file: look(tab, file), look=shown, cookies=cookies_of(reader)
            )
            assert found == (0, True)
    finally:
        reader.kill()
