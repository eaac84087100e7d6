"""Strength: which secrets can be guessed."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

MIN_LENGTH: Final = 20
MIN_DIFFERENT: Final = 8
#: what manuals and tests show, django-ptrack's among them
EXAMPLES: Final = frozenset({"testptracksecret", "ptracktestsecret"})
GENERATED: Final = "django-insecure-"


def weakness_of(secret: str) -> str | None:
    """Return in words why a secret can be guessed, ``None`` if it seems not to be."""
    if secret in EXAMPLES:
        return "is the one that a manual shows"
    if secret.startswith(GENERATED):
        return f"begins with {GENERATED}"
    if any(secret in str(key) for key in _other_keys()):
        return "is SECRET_KEY, or a part of it"
    if len(secret) < MIN_LENGTH:
        return f"has fewer than {MIN_LENGTH} characters"
    if len(set(secret)) < MIN_DIFFERENT:
        return f"has fewer than {MIN_DIFFERENT} different characters"
    return None


def _other_keys() -> list[str | bytes]:
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:  # it is empty, which Django's own checks tell
        key = ""
    return [key, *settings.SECRET_KEY_FALLBACKS]
