"""Titles: extractors find them, and one that fails keeps no other from its turn."""

from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.test import RequestFactory
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from trackable.contrib.analytics import titles
from trackable.contrib.analytics.titles import MAX_LENGTH, get_title
from trackable_tests.tables import for_each

HTML = "trackable.contrib.analytics.titles.HtmlTitleExtractor"


class View:
    title = "Of the view"


class FailingExtractor:
    def get_title(self, response: Any) -> Any:
        raise ValueError("jane")


class AnyExtractor:
    title: Any = None

    def get_title(self, response: Any) -> Any:
        return self.title


def with_context(context: Any) -> TemplateResponse:
    return TemplateResponse(RequestFactory().get("/"), "none.html", context)


@for_each(
    "context, title",
    [
        ({"title": "Tides"}, "Tides"),
        ({"title": "Tides", "view": View()}, "Tides"),
        ({"view": View()}, "Of the view"),
        ({"title": "", "view": View()}, "Of the view"),
        ({"title": None, "view": View()}, "Of the view"),
        ({"view": object()}, ""),
        ({"view": None}, ""),
        ({}, ""),
        (None, ""),
        ({"title": gettext_lazy("Yes")}, "Yes"),
        ({"title": mark_safe("A &amp; B")}, "A &amp; B"),
        ({"title": "  of\n two\tlines "}, "of two lines"),
        ({"title": 7}, ""),
        ({"title": View().__repr__, "view": View()}, "Of the view"),
        ({"title": "a" * 1000}, "a" * MAX_LENGTH),
    ],
)
def test_title_is_the_context_s_or_the_view_s(context: Any, title: str) -> None:
    assert get_title(with_context(context)) == title


@pytest.mark.parametrize("response", [HttpResponse("<title>x</title>"), StreamingHttpResponse([])])
def test_response_without_a_context_has_none(response: Any) -> None:
    assert get_title(response) == ""


@for_each(
    "content, title",
    [
        ("<html><head><title>Tides &amp; sands</title>", "Tides & sands"),
        ('<TITLE lang="de">Ebbe\n und Flut</TITLE>', "Ebbe und Flut"),
        ("<title></title>", ""),
        ("<title>never ends", ""),
        ("no title", ""),
        (" " * titles.MAX_BYTES + "<title>late</title>", ""),
        ("<title>Wörter</title>".encode(), "Wörter"),
        (b"<title>\xff\xfe</title>", "\ufffd\ufffd"),
    ],
)
def test_title_is_found_in_the_page_if_wanted(settings: Any, content: Any, title: str) -> None:
    settings.SERVER_SIDE_TRACKING = {"django_title_extractors": [HTML]}
    assert get_title(HttpResponse(content)) == title


def test_title_is_not_looked_for_in_what_cannot_be_read(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"django_title_extractors": [HTML]}
    compressed = HttpResponse("<title>x</title>", headers={"Content-Encoding": "gzip"})
    assert get_title(compressed) == ""
    assert get_title(StreamingHttpResponse(["<title>x</title>"])) == ""
    assert get_title(with_context({"title": "not rendered"})) == ""


def test_extractors_are_asked_in_order_and_one_may_fail(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SERVER_SIDE_TRACKING = {
        "django_title_extractors": [f"{__name__}.FailingExtractor", "no.such.Extractor", HTML]
    }
    for _ in range(3):
        assert get_title(HttpResponse("<title>Found</title>")) == "Found"
    assert len(caplog.records) == 2
    assert "FailingExtractor" in caplog.text
    assert "ModuleNotFoundError" in caplog.text


@for_each("title", [b"x", ["x"], 1.5, object(), "\ud800", True])
def test_extractor_may_find_anything(
    settings: Any, monkeypatch: pytest.MonkeyPatch, title: Any
) -> None:
    settings.SERVER_SIDE_TRACKING = {"django_title_extractors": [f"{__name__}.AnyExtractor"]}
    monkeypatch.setattr(AnyExtractor, "title", title)
    assert get_title(HttpResponse()) in ("", "\ud800")


def test_search_for_a_title_takes_no_time_whatever_is_in_the_page() -> None:
    import time

    extractor, start = titles.HtmlTitleExtractor(), time.process_time()
    for content in ("<title " * 10_000, "<title>" * 10_000, "<title" + " " * 50_000):
        assert extractor.get_title(HttpResponse(content)) is None
    assert time.process_time() - start < 1
