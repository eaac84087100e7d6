"""The view of the image: calls the pixels that its address is for, and answers in any case."""

from __future__ import annotations

import inspect
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, HttpResponseNotAllowed
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from trackable import notices
from trackable.contrib.pixels import conf
from trackable.contrib.pixels.encoder import encoder_in_force
from trackable.contrib.pixels.payloads import Payload, payload_of
from trackable.contrib.pixels.trackers import tracker
from trackable.gif import NEVER_CACHED, TRANSPARENT_GIF, pixel_response

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

#: as django-ptrack calls it
TRANSPARENT_1_PIXEL_GIF: Final = TRANSPARENT_GIF


@method_decorator(csrf_exempt, name="dispatch")  # what is not allowed is told so, token or not
class TrackingPixel(View):
    """Answers a GET with the image, and a HEAD with its headers; anything else is not allowed."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, ptrack_encoded_data: str = "", **_: Any) -> HttpResponse:
        """Call the pixels, unless there is nothing to call them with."""
        payload = read(ptrack_encoded_data)
        if payload and not payload.is_empty and not payload.is_expired(time.time()):
            tracker.call(request, payload)
        return pixel_response()

    def head(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Call nobody: nothing is shown."""
        response = pixel_response()
        response["Content-Length"] = str(len(response.content))
        response.content = b""
        return response

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseNotAllowed:
        return HttpResponseNotAllowed(("GET", "HEAD"), headers=NEVER_CACHED)


def read(data: str) -> Payload | None:
    """Return what an address says; ``None`` if nobody here has written it.

    Raises nothing. What keeps every image from being read is logged once an hour.
    """
    if len(data) > conf.MAX_DATA_LENGTH:
        return None
    try:
        return payload_of(_decrypted(data))
    except _refusals():
        return None  # anybody can ask for anything
    except Exception as error:  # the edge of the request; an encoder may be anybody's
        _report(error)
        return None


def _decrypted(data: str) -> Any:
    decoded = encoder_in_force().decrypt(data)
    if inspect.iscoroutine(decoded):
        decoded.close()  # of one that is never awaited Python warns
        raise ImproperlyConfigured("The encoder's decrypt() is async: make it a plain method.")
    return decoded


def _refusals() -> tuple[type[Exception], ...]:
    """Return what an encoder raises for a text that is none of its own.

    PyNaCl's error among it, as django-ptrack has it; where PyNaCl is not loaded nothing raises it.
    """
    error = getattr(sys.modules.get("nacl.exceptions"), "CryptoError", ValueError)
    return (ValueError, error)


def _report(error: Exception) -> None:
    # Others than Django's may have in their message what they could not read.
    is_safe = isinstance(error, ImproperlyConfigured)
    cause = str(error) if is_safe else f"the encoder raised {type(error).__name__}"
    if notices.is_news(f"pixels: {cause}"):
        logger.error("An image's address could not be read: %a", cause)
