"""System checks of pixels, with numbered ids: what would keep images from being made or read."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from trackable.checks.rules import Rule, check_names, check_values
from trackable.contrib.pixels import callables, conf, origins
from trackable.contrib.pixels.encoder import HOW_TO_MEND, PtrackEncoder, encoder_in_force
from trackable.contrib.pixels.strength import weakness_of

TAG: Final = "trackable_pixels"
#: what no scheme, host and path have in them
NOT_IN_A_URL: Final = re.compile(r"""[\s"'<>\\?#]""")

#: how an encoder's methods are called; an image may have keyword arguments alone
ENCODER_CALLS: Final[dict[str, list[tuple[tuple[str, ...], dict[str, int]]]]] = {
    "encrypt": [(("x",), {"a": 1}), ((), {"a": 1})],
    "decrypt": [(("x",), {})],
}


def _is_url(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not NOT_IN_A_URL.search(value))


def _are_secrets(value: Any) -> bool:
    return isinstance(value, list | tuple) and not any(map(conf.flaw_of, value))


#: setting -> what its value must be
RULES: Final[dict[str, Rule]] = {
    "PTRACK_APP_URL": Rule("a URL such as 'https://www.example.com', or empty", _is_url),
    "PTRACK_EXPIRE_AFTER": Rule(
        f"a positive number of seconds, {conf.MAX_DURATION_SECONDS} at most, or None",
        lambda value: value is None or conf.is_duration(value),
    ),
    "PTRACK_MAX_URL_LENGTH": Rule(
        f"a whole number from 1 to {conf.MAX_DATA_LENGTH}, of characters", conf.is_limit
    ),
    "PTRACK_SECRET_FALLBACKS": Rule(
        f"a list of strings of 1 to {conf.KEY_BYTES} bytes", _are_secrets, secret=True
    ),
}


def register() -> None:
    """Have Django run the checks."""
    checks.register(check_pixels, TAG)
    checks.register(check_deployment, TAG, deploy=True)


def check_pixels(**_: Any) -> list[CheckMessage]:
    """Find what keeps images from being made or read."""
    known = [conf.PREFIX + name for name in conf.DEFAULTS]
    return [
        *check_names(conf.PREFIX, known, error_id="trackable_pixels.E001"),
        *check_values(RULES, error_id="trackable_pixels.E002"),
        *_check_encoder(),
        *_check_scheme(),
        *_check_urls(),
    ]


def check_deployment(**_: Any) -> list[CheckMessage]:
    """Find what is well on the developer's machine alone."""
    return [*_check_strength(), *_check_host()]


def _is_built_in(encoder: Any) -> bool:
    return isinstance(encoder, type) and issubclass(encoder, PtrackEncoder)


def _check_encoder() -> Iterator[CheckMessage]:
    try:
        encoder = encoder_in_force()
    except ImproperlyConfigured as error:
        yield Error(
            str(error),
            hint="Set it to the dotted path of a class with static encrypt and decrypt.",
            id="trackable_pixels.E005",
        )
        return
    if flaws := [*_flaws_of(encoder)]:
        yield Error(
            f"The encoder of pixels {' and '.join(flaws)}: {encoder!r:.200}",
            hint="Give it static methods encrypt(*args, **kwargs) and decrypt(data).",
            id="trackable_pixels.E005",
        )
    if _is_built_in(encoder):
        yield from _check_secret()
        yield from _check_library()


def _flaws_of(encoder: Any) -> Iterator[str]:
    """Find in words what keeps an encoder from being called as it will be."""
    for name, calls in ENCODER_CALLS.items():
        method = getattr(encoder, name, None)
        if not callable(method):
            yield f"has no {name}"
        elif flaw := callables.flaw_of(encoder, name):
            yield f"has {name}, which {flaw}"
        elif not all(callables.takes(method, *args, **kwargs) for args, kwargs in calls):
            yield f"has {name}, which does not take what it is called with"


def _check_secret() -> Iterator[CheckMessage]:
    if flaw := conf.flaw_of(conf.get("SECRET")):
        yield Error(f"PTRACK_SECRET {flaw}.", hint=HOW_TO_MEND, id="trackable_pixels.E003")


def _check_library() -> Iterator[CheckMessage]:
    if importlib.util.find_spec("nacl") is None:
        yield Error(
            "The encoder of pixels needs PyNaCl, which is not installed.",
            hint="Install trackable[pixels], or set PTRACK_ENCODER to an encoder of your own.",
            id="trackable_pixels.E004",
        )


def _check_scheme() -> Iterator[CheckMessage]:
    url = conf.get("APP_URL")
    if url and _is_url(url) and not _is_absolute(url):
        yield CheckWarning(
            f"PTRACK_APP_URL is {url!r}, without http:// or https:// and a host: a mail's reader"
            " would not find the image.",
            hint="Begin it with https:// and a host, or leave it empty for the site's own host.",
            id="trackable_pixels.W001",
        )


def _is_absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _check_urls() -> Iterator[CheckMessage]:
    if getattr(settings, "ROOT_URLCONF", None) is None:
        return
    try:
        reverse("ptrack", kwargs={"ptrack_encoded_data": "x"})
    except NoReverseMatch:
        yield CheckWarning(
            "The URLs of pixels are not in the URLconf: templates cannot make images.",
            hint="Add path('ptrack/', include('trackable.contrib.pixels.urls')), in no namespace.",
            id="trackable_pixels.W002",
        )


def _check_strength() -> Iterator[CheckMessage]:
    fallbacks = conf.get("SECRET_FALLBACKS")
    named = {"PTRACK_SECRET": conf.get("SECRET")}
    if _are_secrets(fallbacks):
        named |= {f"PTRACK_SECRET_FALLBACKS[{n}]": each for n, each in enumerate(fallbacks)}
    for name, secret in named.items():
        if not conf.flaw_of(secret) and (weakness := weakness_of(secret)):
            yield CheckWarning(
                f"{name} {weakness}: who guesses it reads and writes addresses of images.",
                hint=HOW_TO_MEND,
                id="trackable_pixels.W003",
            )


def _check_host() -> Iterator[CheckMessage]:
    if not conf.get("APP_URL") and not origins.has_site():
        yield CheckWarning(
            "Images in mails have no host, as PTRACK_APP_URL is not set.",
            hint="Set it, or install django.contrib.sites and set SITE_ID. Pages use the host of"
            " their request.",
            id="trackable_pixels.W004",
        )
