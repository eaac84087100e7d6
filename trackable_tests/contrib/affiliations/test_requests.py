"""Requests that know their visitor, and sessions that point nowhere."""

import copy
import pickle
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client, RequestFactory

from trackable.contrib.affiliations.models import Visitor
from trackable.contrib.affiliations.requests import KnowsVisitor, know_visitor
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import (
    BROWSER,
    SESSION_KEY,
    come_from,
    make_partner,
)

pytestmark = [pytest.mark.django_db, pytest.mark.urls(pages.__name__)]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = pages.MIDDLEWARE


@pytest.fixture
def client() -> Client:
    return Client(headers=BROWSER)


@pytest.mark.parametrize(
    "value",
    [None, "", "1", "x", 0, -1, 1.0, True, 2**63, 2**200, [1], {"pk": 1}, 12345, "\x00"],
    ids=repr,
)
def test_session_that_points_nowhere_is_cleared(client: Client, value: Any) -> None:
    come_from(make_partner(), client)
    session = client.session
    session.update({SESSION_KEY: value, "kept": 1})
    session.save()
    assert client.get("/who/").json() == {"visitor": None}
    assert dict(client.session) == {"kept": 1}


def test_session_that_was_tampered_with_does_not_keep_others_from_coming(client: Client) -> None:
    come_from(make_partner(), client)
    session = client.session
    session[SESSION_KEY] = {"pk": [None]}
    session.save()
    come_from(make_partner(), client)
    assert client.session[SESSION_KEY] == Visitor.objects.latest("pk").pk


def test_visitor_may_be_set_and_is_read_once(django_assert_num_queries: Any) -> None:
    request = RequestFactory().get("/")
    request.session = {SESSION_KEY: Visitor.objects.create(partner=make_partner()).pk}
    know_visitor(request)
    with django_assert_num_queries(1):
        assert request.affiliate_visitor.partner.name == "Harbour"
        assert request.affiliate_visitor is request.affiliate_visitor
    request.affiliate_visitor = None
    assert request.affiliate_visitor is None


def test_request_is_still_of_its_class() -> None:
    request = RequestFactory().get("/")
    know_visitor(request)
    know_visitor(request)
    assert isinstance(request, WSGIRequest)
    assert type(request).__mro__[:3] == (type(request), KnowsVisitor, WSGIRequest)
    assert repr(request) == "<WSGIRequest: GET '/'>"
    assert type(RequestFactory().get("/")) is WSGIRequest


@pytest.mark.parametrize("pass_on", [copy.copy, lambda each: pickle.loads(pickle.dumps(each))])
def test_request_is_copied_and_pickled_as_others_are(pass_on: Any) -> None:
    request = RequestFactory().get("/a/?b=1")
    know_visitor(request)
    request.session = {}
    other = pass_on(request)
    assert type(other) is type(request)
    assert other.GET == {"b": ["1"]}
    assert other.affiliate_visitor is None


def test_reading_the_visitor_makes_the_answer_vary_and_not_reading_does_not(
    client: Client,
) -> None:
    come_from(make_partner(), client)
    assert "Vary" not in client.get("/").headers
    assert client.get("/who/")["Vary"] == "Cookie"
