"""Browsers: how they tell of a page that they show."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from trackable.collect import limits
from trackable.testing import Outbox, capture

URL = "/collect/"
OWN = {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}

Tell = Callable[..., HttpResponse]


@pytest.fixture(autouse=True)
def own_site(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = "trackable_tests.collect.urls"
    cache.clear()
    limits.forget()
    yield
    cache.clear()


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    with capture() as box:
        yield box


@pytest.fixture
def tell() -> Tell:
    """Send what the script sends."""

    def send(token: Any, headers: Any = OWN, **extra: Any) -> HttpResponse:
        client = Client(enforce_csrf_checks=True)
        return client.post(
            URL, token, content_type="text/plain;charset=UTF-8", headers=headers, **extra
        )

    return send
