"""System checks of analytics, with numbered ids: settings, services, and what is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.utils.module_loading import import_string

from trackable.checks.rules import check_names
from trackable.contrib.analytics import conf, options, services
from trackable.contrib.analytics.forwarding.declared import check_forward
from trackable.contrib.analytics.options import Flaw
from trackable.contrib.analytics.sending.deferring import is_local

TAG: Final = "trackable_analytics"
SETTINGS: Final = (conf.SETTING, conf.GOOGLE, conf.SERVICES)
IDS: Final = {
    "unknown": "trackable_analytics.E001",
    "wrong": "trackable_analytics.E002",
    "missing": "trackable_analytics.E003",
}
DJANGOS_COOKIES: Final = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME")
GOOGLE_HOSTS: Final = ("www.google-analytics.com", "ssl.google-analytics.com")


def register() -> None:
    """Have Django run the checks."""
    checks.register(check_analytics, TAG)
    checks.register(check_deployment, TAG, deploy=True)


def check_analytics(**_: Any) -> list[CheckMessage]:
    """Find what keeps hits from being sent."""
    return [
        *check_names(conf.SETTING, SETTINGS, error_id="trackable_analytics.E001"),
        *_check_types(),
        *_check_options(),
        *_check_cookies(),
        *_check_extractors(),
        *_check_services(),
        *_check_aliases(),
        *_check_libraries(),
        *(check_forward() if apps.is_installed("trackable") else ()),
    ]


def check_deployment(**_: Any) -> list[CheckMessage]:
    """Find what is well on the developer's machine alone."""
    return [*_check_presence(), *_check_waiting(), *_check_debug(), *_check_secrecy()]


def _check_types() -> Iterator[CheckMessage]:
    for name in SETTINGS:
        value = getattr(settings, name, {})
        if not isinstance(value, Mapping):
            yield Error(
                f"{name} is a {type(value).__name__}.",
                hint="It must be a dictionary.",
                id="trackable_analytics.E002",
            )


def _check_options() -> Iterator[CheckMessage]:
    given = conf.dictionary(conf.SETTING)
    yield from _as_messages(options.flaws(conf.OPTIONS, given, where=conf.SETTING))
    if google := conf.dictionary(conf.GOOGLE):
        known = conf.GOOGLE_OPTIONS if conf.google_service() else conf.PINGS
        own = {key: google[key] for key in known if key in google}
        yield from _as_messages(options.flaws(known, own, where=conf.GOOGLE))


def _check_cookies() -> Iterator[CheckMessage]:
    """Find cookies that would overwrite each other, and statuses that say the same."""
    names = {f"{conf.SETTING}[{key!r}]": conf.get(key) for key in conf.NAMES}
    names |= {key: getattr(settings, key) for key in DJANGOS_COOKIES}
    statuses = ("cookie_status_refused", "cookie_status_accepted")
    yield from _check_distinct(names)
    yield from _check_distinct({f"{conf.SETTING}[{k!r}]": str(conf.get(k)) for k in statuses})


def _check_distinct(values: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for first, second in combinations(values, 2):
        if values[first] == values[second]:
            yield Error(
                f"{first} and {second} are the same.",
                hint="Choose another value for one of them.",
                id="trackable_analytics.E002",
            )


def _check_extractors() -> Iterator[CheckMessage]:
    key = "django_title_extractors"
    found = conf.get(key)
    for path in found if conf.OPTIONS[key].fits(found) else ():
        try:
            import_string(path)
        except Exception as error:
            yield Error(
                f"{conf.SETTING}[{key!r}] has {path!r:.200}: {type(error).__name__}.",
                hint="Name a class that can be imported, by its dotted path.",
                id="trackable_analytics.E002",
            )


def _check_services() -> Iterator[CheckMessage]:
    for alias, name, given in services.configured():
        try:
            service = services.class_of(name)(given, alias=alias)
        except Exception as error:
            yield Error(
                f"The service {alias!r:.80} cannot be made: {type(error).__name__}: {error!s:.200}",
                hint=f"Set 'service' to {', '.join(services.BUILT_IN)}, or a dotted path.",
                id="trackable_analytics.E004",
            )
        else:
            yield from _as_messages(service.check())
            yield from _check_old_protocol(service)


def _check_aliases() -> Iterator[CheckMessage]:
    if conf.google_service() and services.GOOGLE_ALIAS in conf.dictionary(conf.SERVICES):
        yield Error(
            f"Two services are called {services.GOOGLE_ALIAS!r}: one of them gets no hits.",
            hint=f"Give that of {conf.SERVICES} another alias; {conf.GOOGLE} has this one.",
            id="trackable_analytics.E007",
        )


def _as_messages(flaws: Iterator[Flaw]) -> Iterator[CheckMessage]:
    for flaw in flaws:
        yield Error(flaw.message, hint=flaw.hint, id=IDS[flaw.kind])


def _check_old_protocol(service: services.Service) -> Iterator[CheckMessage]:
    if service.name == "universal" and options.host_of(service.url) in GOOGLE_HOSTS:
        yield CheckWarning(
            f"The service {service.alias!r} sends to Google by the old Measurement Protocol, which"
            " Google no longer takes.",
            hint="Use a property of GA4, 'G-...', with an 'api_secret', or set 'url' to a"
            " collector that accepts the old protocol.",
            id="trackable_analytics.W001",
        )


def _check_libraries() -> Iterator[CheckMessage]:
    if not any(services.configured()):
        return
    if importlib.util.find_spec("urllib3") is None:
        yield Error(
            "Hits are sent with urllib3, which is not installed.",
            hint="Install trackable[analytics].",
            id="trackable_analytics.E005",
        )
    if conf.get("defer") == conf.CELERY and importlib.util.find_spec("celery") is None:
        yield Error(
            f"{conf.SETTING}['defer'] is 'celery', and Celery is not installed.",
            hint="Install trackable[celery], or set it to 'threaded'.",
            id="trackable_analytics.E006",
        )


def _check_presence() -> Iterator[CheckMessage]:
    if not any(services.configured()):
        yield CheckWarning(
            "Analytics is installed, and there is no service to send to.",
            hint=f"Set {conf.GOOGLE} or {conf.SERVICES}.",
            id="trackable_analytics.W002",
        )


def _check_waiting() -> Iterator[CheckMessage]:
    if conf.get("defer") is conf.AT_ONCE and any(services.configured()):
        yield CheckWarning(
            f"{conf.SETTING}['defer'] is None: visitors wait for the services.",
            hint="Set it to 'threaded' or 'celery'.",
            id="trackable_analytics.W003",
        )


def _check_debug() -> Iterator[CheckMessage]:
    if conf.get("debug") and any(services.configured()):
        yield CheckWarning(
            f"{conf.SETTING}['debug'] is on: hits are looked at, and none is counted.",
            hint="Set it to False. Its default is DEBUG.",
            id="trackable_analytics.W004",
        )


def _check_secrecy() -> Iterator[CheckMessage]:
    for service in services.in_force():
        if service.url.startswith("http://") and not is_local(service.url):
            yield CheckWarning(
                f"Hits go to {service.alias!r} unencrypted.",
                hint="Let its 'url' begin with https://, and 'ssl' be True.",
                id="trackable_analytics.W005",
            )
