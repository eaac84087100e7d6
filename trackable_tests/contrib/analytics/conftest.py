"""Fixtures: a collector, services that send to it, and no lines or breakers of other tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trackable.contrib.analytics import services
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending import deferring, drops
from trackable_tests.contrib.analytics.collector import Collector, collecting

#: options of each built-in service, beside its URL
OPTIONS: dict[str, dict[str, Any]] = {
    "ga4": {"measurement_id": "G-TEST", "api_secret": "hush-hush"},
    "matomo": {"site_id": 3, "token_auth": "f" * 32},
    "plausible": {"domain": "example.com"},
    "universal": {"property": "UA-1234-5"},
}


@pytest.fixture(autouse=True)
def fresh_sending() -> Iterator[None]:
    """Nothing waits, nothing is dropped and no breaker is open, before and after."""
    drops.forget()
    yield
    deferring.forget()
    for thread in threading.enumerate():
        if thread.name.startswith("trackable-analytics-"):
            # or it logs into the next test that its service has gone
            thread.join(timeout=30)
            assert not thread.is_alive()
    services.forget()
    drops.forget()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A server on loopback that records what it is sent."""
    with collecting() as found:
        yield found


@pytest.fixture
def use(settings: Any, collector: Collector) -> Callable[..., None]:
    """Have hits sent to services of these names at the collector; keywords are settings' keys."""

    def configure(*names: str, options: dict[str, Any] | None = None, **keys: Any) -> None:
        settings.SERVER_SIDE_TRACKING = {"timeout": 5, **keys}
        settings.SERVER_SIDE_TRACKING_SERVICES = {
            name: {"url": collector.url, **OPTIONS[name], **(options or {})} for name in names
        }

    return configure


@pytest.fixture
def a_hit() -> Callable[..., Hit]:
    """Make a page view, or whatever else is asked for."""

    def make(kind: str = "pageview", **values: Any) -> Hit:
        usual = {
            "client_id": "35009a79-1a05-49d7-b876-2b884d0f825b",
            "location": "https://example.com/page/?a=1",
            "user_agent": "Mozilla/5.0",
            "address": "192.0.2.0",
        }
        return Hit(kind=kind, **{**usual, **values})

    return make
