"""Fixtures of beacons: an outbox, and objects to link to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trackable.testing import Outbox, capture
from trackable_tests.contrib.campaigns.models import Article, Campaign


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    """Receive what is emitted."""
    with capture() as found:
        yield found


@pytest.fixture
def article() -> Article:
    return Article.objects.create(slug="tides")


@pytest.fixture
def campaign() -> Campaign:
    return Campaign.objects.create(name="spring")
