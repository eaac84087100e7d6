"""Whatever a hit has in it, what is sent of it keeps to the published limits of each service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trackable.contrib.analytics import hits, services
from trackable.contrib.analytics.hits import Hit
from trackable_tests.contrib.analytics.conftest import OPTIONS
from trackable_tests.contrib.analytics.limits import CHECKS, check_headers

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
LONG = st.integers(1, 3000).map(lambda length: "é€x/"[length % 4] * length)
TEXT = st.one_of(st.text(max_size=20), LONG)
NUMBER = st.one_of(st.integers(-(2**53), 2**53), st.floats(-1e15, 1e15), st.decimals(0, 10**9))
COMMON = ["", "https://example.com/?utm_source=é&gclid=1", "192.0.2.0", "error", "1", True, 0, 2.5]
AGES_SECONDS = [-60, 0, 0.5, 60, 3_599, 14_399, 90_000, 250_000, 400_000]
TEXTS = (
    *("client_id", "user_id", "session_id", "location", "title", "referrer", "address"),
    *("user_agent", "language", "screen_resolution", "viewport_size", "screen_colors"),
)


class Maker:
    """Makes hits of what Hypothesis has found, put together by chance: quicker than by drawing."""

    def __init__(self, random: Random, values: list[Any]) -> None:
        self.random = random
        self.values = [*values, *COMMON]

    def hit(self) -> Hit:
        kind = self.random.choice(sorted(hits.REQUIRED))
        values = {name: self.value() for name in hits.REQUIRED[kind]}
        optional = sorted(hits.OPTIONAL[kind] | hits.COMMERCE - {"items"} - hits.REQUIRED[kind])
        values |= {name: self.value() for name in self.some(optional)}
        items = [
            {name: self.value() for name in self.some(sorted(hits.ITEM))}
            for _ in range(self.random.choice([0, 1, 3, 25]))
        ]
        return Hit(
            kind=kind,
            values={**values, "items": items},
            happened_at=NOW - timedelta(seconds=self.random.choice(AGES_SECONDS)),
            is_interaction=self.random.random() < 0.5,
            properties=self.properties(),
            user_properties=self.properties(),
            **{name: self.text() for name in TEXTS},
        )

    def some(self, names: list[str]) -> list[str]:
        return self.random.sample(names, self.random.randint(0, len(names)))

    def value(self) -> Any:
        return self.random.choice(self.values)

    def text(self) -> str:
        return str(self.value())

    def properties(self) -> dict[str, Any]:
        named = [*"abcdefgh", *(f"a_{n}" for n in range(35)), "ga_x", "user_id", self.text()]
        return {name: self.value() for name in self.some(named)}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", CHECKS)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    values=st.lists(st.one_of(TEXT, NUMBER), min_size=1, max_size=8),
    seed=st.integers(0, 2**32),
    number=st.integers(1, 30),
)
def test_what_is_sent_keeps_to_the_limits(
    name: str, method: str, values: list[Any], seed: int, number: int
) -> None:
    maker = Maker(Random(seed), values)
    found = [maker.hit() for _ in range(number)]
    with override_settings(SERVER_SIDE_TRACKING={"send_method": method, "get_max_bytes": 8000}):
        service = services.class_of(name)({"url": "https://s.example", **OPTIONS[name]})
        requests = service.requests_for(found, now=NOW)
    for request in requests:
        check_headers(request)
        CHECKS[name](request)
    assert sum(len(request.hits) for request in requests) <= number
