"""Cookies: set, read and removed as the settings say. Nothing that comes back in one is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core import signing
from django.utils.cache import patch_cache_control, patch_vary_headers

from trackable.contrib.analytics import conf

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

SALT: Final = "trackable.contrib.analytics.cookies"
#: No cookie of ours is longer, so no longer one is looked at.
MAX_LENGTH: Final = 200


def text_of(request: HttpRequest, key: str) -> str:
    """Return what the browser has sent in the cookie that the settings name under a key."""
    text: str = request.COOKIES.get(conf.get(key), "")
    return text if len(text) <= MAX_LENGTH else ""


def sign(key: str, value: str) -> str:
    """Return a value as a cookie carries it so that only this site can have written it."""
    return _signer(key, str(conf.get("cookie_salt"))).sign(value)


def verify(key: str, text: str, *, max_age_seconds: int | None = None) -> str | None:
    """Return what was signed; ``None`` for what this site did not sign, or too long ago."""
    for salt in _salts() if text else ():
        try:
            return _signer(key, salt).unsign(text, max_age=max_age_seconds)
        except (signing.BadSignature, ValueError):
            pass
    return None


def put(
    request: HttpRequest,
    response: HttpResponseBase,
    key: str,
    text: str,
    *,
    is_kept: bool,
    is_for_scripts: bool = False,
) -> None:
    """Set a cookie: for ``cookie_max_age``, or for as long as the browser is open."""
    response.set_cookie(
        conf.get(key),
        text,
        max_age=conf.get("cookie_max_age") if is_kept else None,
        path=conf.get("cookie_path"),
        secure=conf.get("cookie_secure") or request.is_secure(),
        httponly=conf.get("cookie_httponly") and not is_for_scripts,
        samesite="Lax",
    )
    _keep_out_of_caches(response)


def remove(response: HttpResponseBase, key: str) -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(conf.get(key), path=conf.get("cookie_path"), samesite="Lax")
    _keep_out_of_caches(response)


def _keep_out_of_caches(response: HttpResponseBase) -> None:
    """Have no cache give one visitor's cookie to another.

    ``Vary`` alone does not: many visitors send the same cookies, or none.
    """
    patch_vary_headers(response, ("Cookie",))
    patch_cache_control(response, private=True)


def _signer(key: str, salt: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"{SALT}:{conf.get(key)}:{salt}")


def _salts() -> list[str]:
    """Return the salts that may have been used: a new ``SECRET_KEY`` makes no new visitors."""
    salt = str(conf.get("cookie_salt"))
    is_default = salt == settings.SECRET_KEY
    return [salt, *(map(str, settings.SECRET_KEY_FALLBACKS) if is_default else ())]
