"""Pseudonyms: what stands for a visitor's key from the emit to the fold, and who a visitor is.

A distinct count travels as a counter of its own for each visitor: its field is
``<name>:<pseudonym>``. A pseudonym is the beginning of the key's HMAC, keyed with what is derived
from ``SECRET_KEY``, so neither the journal nor a broker has keys.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings
from django.utils.crypto import salted_hmac

from trackable import addresses
from trackable.exceptions import BadKey

if TYPE_CHECKING:
    from django.http import HttpRequest

#: Between the name of a field and a pseudonym. No field has it in its name.
MARK: Final = ":"
LENGTH_BYTES: Final = 8
_TEXT: Final = re.compile(rf"[0-9a-f]{{{2 * LENGTH_BYTES}}}")
_SALT: Final = "trackable.uniques.pseudonyms"


def visitor_key(request: HttpRequest) -> str:
    """Return what tells a visitor from others without a cookie: the address and the user agent.

    The address is known as ``TRACKABLE_TRUSTED_PROXIES`` says. People who share both are one.
    """
    return f"{addresses.of_request(request)} {request.META.get('HTTP_USER_AGENT', '')}"


def field_cell(field_name: str, key: Any, request: HttpRequest | None) -> str:
    """Return a field and who was seen, as it travels; without a key, the request's visitor.

    Raises ``BadKey`` for what is no key, and if there is neither.
    """
    if key is None and request is not None:
        key = visitor_key(request)
    return f"{field_name}{MARK}{_pseudonym_of(_bytes_of(key))}"


def parse(field_cell: str) -> tuple[str, bytes]:
    """Return the name of the field and the pseudonym. Raises ``BadKey`` if it has no such."""
    name, _, text = field_cell.partition(MARK)
    if not _TEXT.fullmatch(text):
        raise BadKey(f"{text[:40]!r} is no pseudonym of a visitor")
    return name, bytes.fromhex(text)


def _bytes_of(key: Any) -> bytes:
    if isinstance(key, int | UUID) and not isinstance(key, bool):
        key = str(key)
    if isinstance(key, str):
        key = key.encode("utf-8", "surrogatepass")
    if not isinstance(key, bytes):
        raise BadKey(
            f"A {type(key).__name__} is no key of a visitor: pass text, bytes or a number."
        )
    if not key:
        raise BadKey("The key of the visitor is empty: pass one, or none to have it made.")
    return key


def _pseudonym_of(key: bytes) -> str:
    return hmac.digest(_secret(settings.SECRET_KEY), key, "sha256")[:LENGTH_BYTES].hex()


@lru_cache(maxsize=4)
def _secret(secret_key: str | bytes) -> bytes:
    return salted_hmac(_SALT, "", secret_key, algorithm="sha256").digest()
