"""The settings of analytics: their keys, defaults and units, read when used.

``SERVER_SIDE_TRACKING`` says what is tracked and how it is sent, ``SERVER_SIDE_TRACKING_GA`` and
``SERVER_SIDE_TRACKING_SERVICES`` say to whom. The keys of the first two are those of
server-side-tracking, and new ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from trackable.contrib.analytics.options import (
    TOKEN,
    Option,
    flag,
    host_of,
    is_number,
    number,
    text,
    texts,
    whole,
)

SETTING: Final = "SERVER_SIDE_TRACKING"
GOOGLE: Final = "SERVER_SIDE_TRACKING_GA"
SERVICES: Final = "SERVER_SIDE_TRACKING_SERVICES"

MAX_TIMEOUT_SECONDS: Final = 600
#: a token of RFC 9110
COOKIE: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: the keys that name cookies
NAMES: Final = ("cookie_name", "cookie_action", "cookie_status", "own_cookie_name")

AT_ONCE: Final = None
THREADED: Final = "threaded"
CELERY: Final = "celery"


def _is_timeout(value: Any) -> bool:
    pair = value if isinstance(value, list | tuple) and len(value) == 2 else [value]
    return all(is_number(each) and 0 < each <= MAX_TIMEOUT_SECONDS for each in pair)


def _is_proxy(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, str) or not TOKEN.fullmatch(value) or not host_of(value):
        return False
    return urlsplit(value).scheme in ("http", "https")


def _is_cookie(value: Any) -> bool:
    return isinstance(value, str) and bool(COOKIE.fullmatch(value))


def _cookie(default: str) -> Option:
    return Option(default, "the name of a cookie: letters, digits, - and _", _is_cookie)


def _is_status(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


COOKIES: Final[dict[str, Option]] = {
    "cookie_name": _cookie("vn"),
    "cookie_action": _cookie("cookie_action"),
    "cookie_status": _cookie("cookie_status"),
    "cookie_status_refused": Option(0, "a string or a whole number", _is_status),
    "cookie_status_accepted": Option(1, "a string or a whole number", _is_status),
    "cookie_max_age": whole(63_072_000, least=1, most=10**10),
    "cookie_path": text(None),
    "cookie_salt": text(None),
    "cookie_httponly": flag(True),
    "cookie_secure": flag(True),
    "own_cookie_name": _cookie("its_me"),
}
PAGES: Final[dict[str, Option]] = {
    "pageview_exclude": texts(("admin/",)),
    "pageview_exclude_statuses": Option(
        (),
        "a list of whole numbers",
        lambda value: isinstance(value, list | tuple) and all(type(n) is int for n in value),
    ),
    "pageview_content_types": texts(("text/html", "application/xhtml+xml")),
    "pageview_na_exceptions": flag(False),
    "pageview_server_exceptions": flag(False),
    "pageview_ajax_responses": flag(False),
    "pageview_ajax_exceptions": flag(False),
    "django_title_extractors": texts(
        (
            "trackable.contrib.analytics.titles.ContextTitleExtractor",
            "trackable.contrib.analytics.titles.ViewTitleExtractor",
        ),
        demand="a list of dotted paths of classes",
    ),
}
#: Words in the names of query parameters whose values nobody else is to know.
SECRET_WORDS: Final = (
    *("password", "passwd", "pwd", "passphrase", "secret", "credential", "credentials"),
    *("token", "jwt", "key", "apikey", "signature", "sig", "hmac", "nonce", "otp"),
    *("auth", "authorization", "session", "sessionid", "sessid", "sid", "ticket"),
    *("email", "mail", "phone"),
)
PRIVACY: Final[dict[str, Option]] = {
    "anonymize_ip": flag(True),
    "consent_required": flag(False),
    "redact": flag(True),
    "redact_parameters": texts(SECRET_WORDS),
    "respect_dnt": flag(True),
    "respect_gpc": flag(True),
    "ping_max_age": whole(3600, least=1, most=10**7),
}
SENDING: Final[dict[str, Option]] = {
    "debug": flag(None),
    "defer": Option(
        THREADED,
        "'threaded', 'celery', or None for at once",
        lambda value: value in (AT_ONCE, THREADED, CELERY),
    ),
    "send_method": Option("POST", "'GET' or 'POST'", lambda value: value in ("GET", "POST")),
    "post_fallback": flag(True),
    "get_max_bytes": whole(2000, least=200, most=8000),
    "timeout": Option(
        10, "a number of seconds up to 600, or two: to connect, and to read", _is_timeout
    ),
    "at_once_timeout": number(1.0, least=0.01, most=60),
    "threads": whole(2, least=1, most=32),
    "queue_max_hits": whole(10_000, least=1, most=1_000_000),
    "queue_max_bytes": whole(16 << 20, least=1 << 16, most=1 << 32),
    "retries": whole(3, least=0, most=20),
    "breaker_failures": whole(5, least=1, most=1000),
    "breaker_seconds": number(30.0, least=0.01, most=3600),
    "exit_timeout": number(3.0, most=600),
    "proxy": Option(None, "a URL with http:// or https://, or None", _is_proxy, is_secret=True),
}
#: key of ``SERVER_SIDE_TRACKING`` -> what it must be
OPTIONS: Final[dict[str, Option]] = {**COOKIES, **PAGES, **PRIVACY, **SENDING}

#: keys of ``SERVER_SIDE_TRACKING_GA`` that hold for all services
PINGS: Final[dict[str, Option]] = {
    "ping_category": text("Non-interaction"),
    "ping_action": text("Ping"),
    "ping_label": Option(None, "a string, or None", lambda v: v is None or isinstance(v, str)),
}
#: its keys, beside the options of the service that it chooses
GOOGLE_OPTIONS: Final[dict[str, Option]] = {
    "property": text(demand="a property such as 'G-XXXXXXXXXX' or 'UA-XXXXX-Y'", is_required=True),
    "ssl": flag(True),
    **PINGS,
}

#: defaults that are other settings' values
_ELSEWHERE: Final = {
    "cookie_path": "SESSION_COOKIE_PATH",
    "cookie_salt": "SECRET_KEY",
    "debug": "DEBUG",
}


def get(key: str) -> Any:
    """Return the value in force of a key of ``SERVER_SIDE_TRACKING``.

    Raises ``KeyError`` for a key that does not exist.
    """
    option = OPTIONS[key]
    value = dictionary(SETTING).get(key, option.default)
    if value is None and key in _ELSEWHERE:
        return getattr(settings, _ELSEWHERE[key])
    return value


def google(key: str) -> Any:
    """Return the value in force of a key of ``SERVER_SIDE_TRACKING_GA``."""
    return dictionary(GOOGLE).get(key, GOOGLE_OPTIONS[key].default)


def google_service() -> Mapping[str, Any]:
    """Return ``SERVER_SIDE_TRACKING_GA`` if it names a service, else an empty dictionary.

    What it says of pings holds for any service, so it may say that alone.
    """
    given = dictionary(GOOGLE)
    return given if any(key not in PINGS for key in given) else {}


def dictionary(name: str) -> Mapping[str, Any]:
    """Return one of the settings; what is no dictionary counts as an empty one.

    A system check tells of that.
    """
    value = getattr(settings, name, None)
    return value if isinstance(value, Mapping) else {}


def timeouts_seconds() -> tuple[float, float]:
    """Return how long to wait for a connection, and for an answer."""
    value = get("timeout")
    connect, read = value if isinstance(value, list | tuple) else (value, value)
    return float(connect), float(read)
