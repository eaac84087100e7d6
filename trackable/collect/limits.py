"""Limits: how often one visitor may have one counter counted, kept in Django's cache.

A window is as long as the rate's time and begins at a multiple of it. Where the cache fails,
visits are counted without a limit, and it is not asked for a while, so that nobody waits for it.
"""

from __future__ import annotations

import logging
import time
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from django.core.cache import cache
from django.utils.crypto import salted_hmac

from trackable import addresses, conf, notices, rates

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

SALT: Final = "trackable.collect.limits"
#: What one subscriber has, by the version of the address.
SUBSCRIBER_BITS: Final = {4: 32, 6: 64}
#: How long a cache that has failed is not asked.
REST_SECONDS: Final = 10.0

_rests_until = 0.0


def is_over(request: HttpRequest, token: str) -> bool:
    """Count a request, and tell whether its visitor has sent this token too often.

    A visitor without an address that can be known has no limit: everybody would share it.
    """
    text = conf.get("COLLECT_RATE")
    if text is None:
        return False
    address = addresses.of_request(request)
    if address is None:
        _warn_of_no_address()
        return False
    rate = rates.parse(text)
    subscriber = ip_network((address, SUBSCRIBER_BITS[address.version]), strict=False)
    window = int(time.time()) // rate.seconds
    key = salted_hmac(SALT, f"{subscriber} {window} {token}", algorithm="sha256").hexdigest()
    is_limited = _number(f"trackable.collect.{key}", rate.seconds) > rate.number
    if is_limited and "X-Forwarded-For" in request.headers:
        _warn_of_proxy(str(address))
    return is_limited


def _number(key: str, timeout_seconds: int) -> int:
    """Return how often this was called with a key; 0 where the cache does not tell."""
    global _rests_until
    if time.monotonic() < _rests_until:
        return 0
    try:
        cache.add(key, 0, timeout_seconds)
        return cache.incr(key)
    except ValueError:
        return 0  # it was evicted in between
    except Exception as error:
        _rests_until = time.monotonic() + REST_SECONDS
        if notices.is_news(f"{__name__}: cache"):
            logger.error("Visits are counted without a limit: the cache failed. %r", error)
        return 0


def _warn_of_no_address() -> None:
    if notices.is_news(f"{__name__}: address"):
        logger.warning(
            "Visits are counted without a limit: their addresses cannot be known. Name the proxy"
            " in TRACKABLE_TRUSTED_PROXIES ('unix' for one that connects by a socket file)."
        )


def _warn_of_proxy(address: str) -> None:
    """All visitors of a proxy that is not trusted share one limit."""
    if notices.is_news(f"{__name__}: proxy"):
        logger.warning(
            "Visits from %s are over TRACKABLE_COLLECT_RATE. If it is a proxy of yours, name it in"
            " TRACKABLE_TRUSTED_PROXIES, so that each of its visitors has a limit of their own.",
            address,
        )


def forget() -> None:
    """Ask the cache again, though it has failed."""
    global _rests_until
    _rests_until = 0.0
