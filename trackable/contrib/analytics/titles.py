"""Titles: how a page calls itself, asked of what made it.

An extractor is a class with a method ``get_title(response)`` that returns a text, or ``None``.
The first to find something wins.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.module_loading import import_string

from trackable.contrib.analytics import conf
from trackable.contrib.analytics.reporting import report

#: of a title
MAX_LENGTH: Final = 300
#: of a page's content, in which a ``<title>`` is looked for
MAX_BYTES: Final = 16 * 1024
ELEMENT: Final = re.compile(rb"<title[^<>]{0,200}>([^<]*)</title", re.IGNORECASE)


class ContextTitleExtractor:
    """Finds ``title`` in the context of a ``TemplateResponse``."""

    def get_title(self, response: Any) -> Any:
        return response.context_data.get("title")


class ViewTitleExtractor:
    """Finds the attribute ``title`` of the view, which class-based views put into the context."""

    def get_title(self, response: Any) -> Any:
        view = response.context_data.get("view")
        return view.title if view else None


class HtmlTitleExtractor:
    """Finds ``<title>`` at the beginning of the page: for views that use ``render()``."""

    def get_title(self, response: Any) -> Any:
        if response.streaming or response.has_header("Content-Encoding"):
            return None
        match = ELEMENT.search(response.content[:MAX_BYTES])
        return html.unescape(match[1].decode(response.charset, "replace")) if match else None


def get_title(response: Any) -> str:
    """Return the title of a page; ``""`` if none of ``django_title_extractors`` finds one."""
    for path in conf.get("django_title_extractors"):
        try:
            title = _text_of(_extractor(path).get_title(response))
        except AttributeError:
            continue  # a response of another kind
        except Exception as error:  # an extractor may be anybody's
            report(f"The title extractor {path!a:.200} failed", error)
            continue
        if title:
            return title
    return ""


@lru_cache(maxsize=64)
def _extractor(path: str) -> Any:
    return import_string(path)()


def _text_of(title: Any) -> str:
    """Return a text in one line; of what is none, such as a method, nothing."""
    if not isinstance(title, str | Promise):
        return ""
    return " ".join(str(title)[: 2 * MAX_LENGTH].split())[:MAX_LENGTH]
