"""Consent: what a visitor has accepted or refused, and the cookies in which that is said.

The handshake: a script of the page's sets the cookie ``cookie_action`` to ``accept`` or
``refuse``. The next response removes it, and sets ``cookie_status``, which tells scripts not to
ask again. Where a form asks, its view calls ``accept`` or ``refuse``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trackable.contrib.analytics import clients, conf, cookies, visits

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

ACCEPT: Final = "accept"
REFUSE: Final = "refuse"
#: key that switches it on -> header by which a browser says no
SIGNALS: Final = {"respect_dnt": "DNT", "respect_gpc": "Sec-GPC"}


def allows(request: HttpRequest) -> bool:
    """Tell whether services may be told of a visitor.

    Not of one who has refused, or whose browser asks not to be tracked; with
    ``consent_required``, only of one who has accepted.
    """
    decision = decision_of(request)
    if decision == REFUSE or _objects(request):
        return False
    return decision == ACCEPT or not conf.get("consent_required")


def decision_of(request: HttpRequest) -> str:
    """Return ``"accept"``, ``"refuse"``, or ``""`` for a visitor who has not decided."""
    return visits.of(request).decision or _asked(request) or _remembered(request)


def accept(request: HttpRequest, response: HttpResponseBase) -> None:
    """Remember that a visitor accepts, and keep the id that there is.

    Without one, the next page that is tracked will set it.
    """
    visits.of(request).decision = ACCEPT
    _remember(request, response, "cookie_status_accepted")
    client = clients.known(request)
    if client is not None and allows(request):
        cookies.put(request, response, clients.KEY, client.text, is_kept=True)


def refuse(request: HttpRequest, response: HttpResponseBase) -> None:
    """Forget a visitor, and remember nothing but that they refuse."""
    visits.of(request).decision = REFUSE
    _remember(request, response, "cookie_status_refused")
    if conf.get(clients.KEY) in request.COOKIES:
        cookies.remove(response, clients.KEY)


def settle(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set and remove the cookies that a response is to bring, by what was decided and who it is."""
    if conf.get("cookie_action") in request.COOKIES:
        asked = "" if visits.of(request).decision else _asked(request)
        if asked:
            (accept if asked == ACCEPT else refuse)(request, response)
        cookies.remove(response, "cookie_action")
    client, decision = visits.of(request).client, decision_of(request)
    if allows(request):
        if client is not None and client.is_new:
            cookies.put(request, response, clients.KEY, client.text, is_kept=decision == ACCEPT)
    elif conf.get(clients.KEY) in request.COOKIES and (decision == REFUSE or _objects(request)):
        cookies.remove(response, clients.KEY)


def _asked(request: HttpRequest) -> str:
    asked = cookies.text_of(request, "cookie_action")
    return asked if asked in (ACCEPT, REFUSE) else ""


def _remembered(request: HttpRequest) -> str:
    status = cookies.text_of(request, "cookie_status")
    if status == str(conf.get("cookie_status_accepted")):
        return ACCEPT
    return REFUSE if status and status == str(conf.get("cookie_status_refused")) else ""


def _remember(request: HttpRequest, response: HttpResponseBase, key: str) -> None:
    status = str(conf.get(key))
    cookies.put(request, response, "cookie_status", status, is_kept=True, is_for_scripts=True)


def _objects(request: HttpRequest) -> bool:
    return any(
        conf.get(key) and request.headers.get(header) == "1" for key, header in SIGNALS.items()
    )
