"""Exclusions: which responses are pages or failures to tell of, and which visitors are not told of.

All of them are of the settings, and read for each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trackable import conf as core
from trackable import spiders
from trackable.contrib.analytics import conf, cookies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

OWN: Final = "own_cookie_name"
OWN_VALUE: Final = "1"

#: what browsers ask for pages as; anything else is for a script, or a part of a page
DOCUMENTS: Final = frozenset({"document", "iframe", "frame", "fencedframe", "embed", "object"})
#: statuses that bring no page
EMPTY: Final = frozenset({204, 205, 206})


def is_page(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Tell whether a response is a page, and somebody is to see it."""
    return (
        request.method == "GET"
        and 200 <= response.status_code < 300
        and response.status_code not in EMPTY
        and (conf.get("pageview_ajax_responses") or not is_ajax(request))
        and _has_content_of_a_page(response)
        and not _is_prefetch(request)
        and not _is_excluded(request, response)
    )


def is_failure(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Tell whether a response is a failure that the settings want told."""
    is_missing = response.status_code == 404
    key = "pageview_na_exceptions" if is_missing else "pageview_server_exceptions"
    return (
        response.status_code >= 400
        and conf.get(key)
        and (conf.get("pageview_ajax_exceptions") or not is_ajax(request))
        and not _is_excluded(request, response)
    )


def is_ajax(request: HttpRequest) -> bool:
    """Tell whether a script asks, or a part of a page is asked for, and no page.

    Libraries say so in ``X-Requested-With``, browsers in ``Sec-Fetch-Dest``; who says nothing
    asks for a page.
    """
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return True
    return request.headers.get("Sec-Fetch-Dest", "document") not in DOCUMENTS


def is_own(request: HttpRequest) -> bool:
    """Tell whether it is one's own visit, by the cookie that says so."""
    return cookies.verify(OWN, cookies.text_of(request, OWN)) == OWN_VALUE


def set_own(request: HttpRequest, response: HttpResponseBase, *, is_own: bool = True) -> None:
    """Have the visits of this browser be one's own from now on, or no longer."""
    if is_own:
        cookies.put(request, response, OWN, cookies.sign(OWN, OWN_VALUE), is_kept=True)
    else:
        cookies.remove(response, OWN)


def is_crawler(request: HttpRequest) -> bool:
    return core.get("USER_AGENT_FILTERING") and spiders.verdict_of_request(request) is not None


def _is_excluded(request: HttpRequest, response: HttpResponseBase) -> bool:
    path = request.path_info.lstrip("/")
    return response.status_code in conf.get("pageview_exclude_statuses") or any(
        path.startswith(prefix.lstrip("/")) for prefix in _listed("pageview_exclude")
    )


def _is_prefetch(request: HttpRequest) -> bool:
    """Tell whether a browser asks ahead: maybe nobody will ever see it."""
    purpose = request.headers.get("Sec-Purpose") or request.headers.get("Purpose") or ""
    return "prefetch" in purpose


def _has_content_of_a_page(response: HttpResponseBase) -> bool:
    content_type = response.get("Content-Type", "").partition(";")[0].strip().lower()
    return content_type in _listed("pageview_content_types")


def _listed(key: str) -> Iterable[str]:
    """Return a list of the settings; of one text, a list."""
    value = conf.get(key)
    return (value,) if isinstance(value, str) else value
