"""The settings of pixels: their names, defaults and units, read when used."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings

PREFIX: Final = "PTRACK_"
UNSET: Final[Any] = object()
DEFAULT_ENCODER: Final = "trackable.contrib.pixels.encoder.PtrackEncoder"

#: what a key has; a shorter secret is filled up
KEY_BYTES: Final = 32
#: What is longer is not read. Most servers refuse such a request line themselves.
MAX_DATA_LENGTH: Final = 16_384

#: Some 3000 years: what is more is a slip, or more than a clock can add.
MAX_DURATION_SECONDS: Final = 10**11

#: name without the prefix -> default
DEFAULTS: Final[dict[str, Any]] = {
    "APP_URL": "",
    "ENCODER": DEFAULT_ENCODER,
    "EXPIRE_AFTER": None,
    "MAX_URL_LENGTH": 2000,
    "SECRET": UNSET,
    "SECRET_FALLBACKS": (),
}


def get(name: str) -> Any:
    """Return the value in force of the setting ``PTRACK_<name>``."""
    return getattr(settings, PREFIX + name, DEFAULTS[name])


def flaw_of(secret: Any) -> str | None:
    """Return in words why a value makes no key, ``None`` if it makes one."""
    if secret is UNSET or secret == "":
        return "is not set"
    if not isinstance(secret, str):
        return f"is no string but of type {type(secret).__name__}"
    if (length := len(as_bytes(secret))) > KEY_BYTES:
        return f"has {length} bytes, and a key has {KEY_BYTES}"
    return None


def as_bytes(secret: str) -> bytes:
    """Return the bytes of a secret."""
    return secret.encode("utf-8", "surrogatepass")


def is_duration(value: Any) -> bool:
    """Tell whether a value is a positive number of seconds, and no eternity."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= MAX_DURATION_SECONDS


def is_limit(value: Any) -> bool:
    """Tell whether a value can be the greatest length of an address."""
    return type(value) is int and 0 < value <= MAX_DATA_LENGTH
