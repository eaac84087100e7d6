"""The view that browsers tell of the pages that they show. It answers 204 to whatever they send."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

from trackable import conf, notices, spiders
from trackable.collect import limits, origins, tokens
from trackable.messaging import send_increment_message, send_unique_message

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

#: Tells why a visit was not counted; a visit that was has none.
REASON: Final = "X-Trackable"


@csrf_exempt  # it has a token of its own
@login_not_required
def collect(request: HttpRequest) -> HttpResponse:
    """Emit a visit to what the token, which is the body, was signed for.

    Runs no SQL of its own, reads no cookie, and keeps nothing of the visitor but, as long as a
    limit needs it, a hash of the address.
    """
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    response = HttpResponse(status=204, headers={"Cache-Control": "no-store"})
    if reason := _count(request):
        response[REASON] = reason
    return response


def _count(request: HttpRequest) -> str:
    """Count a visit, and return why not; ``""`` if it is counted."""
    try:
        if not origins.is_own(request):
            return "other origin"
        token = _token_in(request)
        wanted = tokens.read(token)
        if limits.is_over(request, token):
            return "rate limited"
        send = send_unique_message if wanted.is_unique else send_increment_message
        if send(request, wanted.obj, wanted.field, data_cls=wanted.data_cls):
            return ""
        return "crawler" if _is_spider(request) else "not taken"
    except tokens.BadToken as error:
        return str(error)
    except Exception as error:
        # Whatever it is that the visitor has sent, the page is in nobody's way.
        cause = ascii(f"{type(error).__name__}: {error}"[:500])
        if notices.is_news(cause):
            logger.error("A visit was not counted. %s", cause)
        return "error"


def _token_in(request: HttpRequest) -> str:
    """Return the body, of which no more is read than a token has. Raises ``BadToken``."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > tokens.MAX_BYTES:
            raise tokens.BadToken("too long")
        return request.read(max(length, 0)).decode("ascii")
    except (OSError, ValueError) as error:
        raise tokens.BadToken("bad token") from error  # cut off, or no text


def _is_spider(request: HttpRequest) -> bool:
    return bool(conf.get("USER_AGENT_FILTERING")) and bool(spiders.verdict_of_request(request))
