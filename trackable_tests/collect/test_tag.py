"""The tag and its script: no inline code, small, and never the reason that a page fails."""

import re
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client

from trackable.collect.tokens import read
from trackable.exceptions import TrackableError, UnknownField
from trackable_tests.testapp.models import Page, PageTotals

LOAD = "{% load trackable_collect %}"
ELEMENT = re.compile(
    r'<script src="/static/trackable/collect\.js" data-url="/collect/"'
    r' data-token="([\w.:-]+)"( nonce="[^"]*")? defer></script>'
)


def render(tag: str = 'page "views"', **context: Any) -> str:
    return Template(f"{LOAD}{{% trackable_collect {tag} %}}").render(
        Context({"page": Page(pk=5), **context})
    )


def test_the_element_has_a_token_and_no_code() -> None:
    found = ELEMENT.fullmatch(render())
    assert found
    assert read(found[1]).obj.pk == "5"
    assert render() == render()


def test_a_data_class_is_named_by_its_label() -> None:
    found = ELEMENT.fullmatch(render('page "views" data_cls="testapp.PageTotals"'))
    assert found
    assert read(found[1]).data_cls is PageTotals


def test_a_nonce_is_there_when_it_is_given_and_escaped() -> None:
    assert ' nonce="&quot;&gt;"' in render('page "views" nonce=nonce', nonce='">')
    assert "nonce" not in render(csp_nonce="not asked for, as it would differ each time")


def test_a_mistake_never_breaks_the_page(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert [render('page "no_such"'), render('none "views"')] == ["", ""]
    assert "has a counter 'no_such'" in caplog.text
    settings.DEBUG = True
    with pytest.raises(UnknownField):
        render('page "no_such"')


def test_urls_that_are_not_included_are_an_error_with_its_cure(settings: Any) -> None:
    settings.ROOT_URLCONF = "trackable_tests.urls"
    assert render() == ""
    settings.DEBUG = True
    with pytest.raises(TrackableError, match=r"include trackable\.collect\.urls"):
        render()


def test_the_script_is_short_as_it_is_served(client: Client) -> None:
    response: Any = client.get("/static/trackable/collect.js")
    served = b"".join(response.streaming_content)
    assert response["Content-Type"].startswith("text/javascript")
    assert len(served) < 1024
    assert b"cookie" not in served
    assert b"Storage" not in served
