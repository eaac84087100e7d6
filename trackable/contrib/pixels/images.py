"""Images: the address that carries arguments, and the HTML that loads it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from trackable.contrib.pixels import conf
from trackable.contrib.pixels.arguments import clean, clean_address
from trackable.contrib.pixels.encoder import encoder_in_force
from trackable.contrib.pixels.exceptions import PtrackLengthError
from trackable.contrib.pixels.origins import origin_for
from trackable.contrib.pixels.payloads import Payload
from trackable.contrib.pixels.trackers import TrackingPixel

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.safestring import SafeString


def url_of(
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    request: HttpRequest | None = None,
    expire_after_seconds: float | None = conf.UNSET,
    to: type[TrackingPixel] | str | None = None,
) -> str:
    """Return the address of an image whose loading calls the pixels with these arguments.

    It calls nobody once ``expire_after_seconds`` have passed (``None`` for never), and only the
    class ``to``, if given. Raises ``PtrackArgumentError``, ``PtrackLengthError``, ``ValueError``
    for a wrong time, and ``ImproperlyConfigured``.
    """
    positional, named = clean(args, kwargs)
    payload = Payload(positional, named, _expiry(expire_after_seconds), clean_address(to))
    url = origin_for(request) + _path_of(_encrypted(payload))
    _check_length(len(url))
    return url


def image_of(
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    request: HttpRequest | None = None,
    expire_after_seconds: float | None = conf.UNSET,
    to: type[TrackingPixel] | str | None = None,
) -> SafeString:
    """Return the ``<img>`` of ``url_of``, with its arguments and errors."""
    url = url_of(args, kwargs, request=request, expire_after_seconds=expire_after_seconds, to=to)
    return format_html('<img src="{}" width="1" height="1" alt="">', url)


def _expiry(seconds: Any) -> int | None:
    """Return the moment, in whole seconds since the epoch, or ``None`` for never."""
    if seconds is conf.UNSET:
        seconds = conf.get("EXPIRE_AFTER")
    if seconds is None:
        return None
    if not conf.is_duration(seconds):
        raise ValueError(
            f"An image cannot expire after {seconds!a:.80} seconds: pass a positive number, of"
            f" {conf.MAX_DURATION_SECONDS} at most, or None."
        )
    return math.ceil(time.time() + float(seconds))


def _encrypted(payload: Payload) -> str:
    data = encoder_in_force().encrypt(*payload.args, **payload.keywords())
    if not isinstance(data, str):
        raise ImproperlyConfigured(
            f"The encoder made {type(data).__name__}: its encrypt() must return str."
        )
    return data


def _path_of(data: str) -> str:
    try:
        return reverse("ptrack", kwargs={"ptrack_encoded_data": data})
    except NoReverseMatch as error:
        raise ImproperlyConfigured(
            "The URLs of pixels are not in the URLconf: add"
            " path('ptrack/', include('trackable.contrib.pixels.urls')), in no namespace."
        ) from error


def _check_length(length: int) -> None:
    limit = conf.get("MAX_URL_LENGTH")
    if not conf.is_limit(limit):
        raise ImproperlyConfigured(
            f"PTRACK_MAX_URL_LENGTH must be a whole number from 1 to {conf.MAX_DATA_LENGTH}."
        )
    if length > limit:
        raise PtrackLengthError(
            f"The address of the image has {length} characters, and PTRACK_MAX_URL_LENGTH is"
            f" {limit}: pass a key in place of what it stands for, and look that up in record()."
        )
