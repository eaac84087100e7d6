"""Signing: how a partner knows that a call is the site's, and not an old one sent again."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final

HEADER: Final = "Trackable-Signature"
VERSION: Final = "v1"


def header(*, secret: str, at_seconds: int, method: str, url: str, key: str) -> str:
    """Return the value of the header: ``t=<seconds since the epoch>,v1=<signature>``."""
    text = signed_text(at_seconds=at_seconds, method=method, url=url, key=key)
    return f"t={at_seconds},{VERSION}={signature(secret, text)}"


def signed_text(*, at_seconds: int, method: str, url: str, key: str) -> str:
    """Return what is signed: the time, the method, the URL as it is called, the idempotency key.

    A line for each: none of them has a line end in it.
    """
    return "\n".join([str(at_seconds), method, url, key])


def signature(secret: str, text: str) -> str:
    """Return the HMAC-SHA256 of a text, in hexadecimal digits."""
    return hmac.new(secret.encode(), text.encode(), sha256).hexdigest()
