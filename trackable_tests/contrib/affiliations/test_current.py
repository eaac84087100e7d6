"""The request at hand: there while it is served, and no longer."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from trackable.contrib.affiliations import current
from trackable.contrib.affiliations.middleware import AffiliateVisitorsRegistrationMiddleware


def test_request_is_at_hand_while_it_is_served_and_no_longer() -> None:
    seen: list[Any] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(current.request())
        if request.path == "/outer/":
            served(RequestFactory().get("/inner/"))
            seen.append(current.request())
        return HttpResponse()

    served = AffiliateVisitorsRegistrationMiddleware(view)
    served(RequestFactory().get("/outer/"))
    assert [request.path for request in seen] == ["/outer/", "/inner/", "/outer/"]
    assert current.request() is None


def test_request_is_at_hand_no_longer_when_a_view_raises() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        AffiliateVisitorsRegistrationMiddleware(view)(RequestFactory().get("/"))
    assert current.request() is None
