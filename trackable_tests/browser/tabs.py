"""Tabs: a browser in a thread of its own, since its event loop would be in the way of Django."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 30
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

#: what a page says of how it fits its window, in pixels
FIT: Final = "() => [document.documentElement.scrollWidth, window.innerWidth]"


def path_of_browser() -> str | None:
    """Return where Chromium is: at ``TRACKABLE_TEST_CHROMIUM``, or in the path."""
    given = os.environ.get("TRACKABLE_TEST_CHROMIUM")
    return given or next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at: pixels, and whether it is dark."""

    width: int = 1280
    height: int = 900
    is_dark: bool = False

    def __str__(self) -> str:
        return f"{self.width}-{'dark' if self.is_dark else 'light'}"


#: the two widths and the two themes
LOOKS: Final = tuple(
    Look(width, height, is_dark)
    for width, height in ((1280, 900), (390, 844))
    for is_dark in (False, True)
)


class Tab:
    """A page in a browser, and what it has complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _on_console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    @property
    def overflow_pixels(self) -> int:
        """How much of the page is beyond the right edge of the window."""
        whole, shown = self.page.evaluate(FIT)
        return int(whole) - int(shown)


class Chromium:
    """A browser, and the thread that it is driven from."""

    def __init__(self, thread: ThreadPoolExecutor, browser: Browser) -> None:
        self._thread = thread
        self._browser = browser

    def browse(
        self, action: Callable[[Tab], T], *, look: Look | None = None, cookies: Any = ()
    ) -> T:
        """Return what an action on a new tab returns. It must not touch the database."""
        return self._thread.submit(self._do, action, look or Look(), cookies).result(120)

    def _do(self, action: Callable[[Tab], T], look: Look, cookies: Any) -> T:
        context = self._context(look)
        try:
            context.add_cookies([*cookies])
            return action(Tab(context.new_page()))
        finally:
            context.close()

    def _context(self, look: Look) -> BrowserContext:
        context = self._browser.new_context(
            viewport={"width": look.width, "height": look.height},
            color_scheme="dark" if look.is_dark else "light",
            locale="en-GB",
            reduced_motion="reduce",
        )
        context.set_default_timeout(TIMEOUT_SECONDS * 1000)
        return context


@contextmanager
def chromium(path: str) -> Iterator[Chromium]:
    """Start a browser; end it, and its thread, at the end."""
    with ThreadPoolExecutor(1, "browser") as thread:
        playwright = thread.submit(lambda: sync_playwright().start()).result()
        try:
            # Without a sandbox: it takes rights that a container's root does not have.
            arguments = ["--no-sandbox", "--font-render-hinting=none"]
            launch = playwright.chromium.launch
            browser = thread.submit(launch, executable_path=path, args=arguments).result()
            try:
                yield Chromium(thread, browser)
            finally:
                thread.submit(browser.close).result()
        finally:
            thread.submit(playwright.stop).result()
