"""System checks of beacons, with numbered ids: settings, and what beacons are to count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from trackable.checks.rules import BOOLEAN, POSITIVE, Rule, check_names, check_values
from trackable.contrib.beacons import conf, counting, middleware
from trackable.counters import counters_of
from trackable.models import TrackableData

TAG: Final = "trackable_beacons"
LOCAL: Final = "IGNORE_LOCAL_REDIRECTS"
#: a scheme, a host and perhaps a port: the path of a link comes from the URLconf
ORIGIN: Final = re.compile(r"https?://[^\s/?#@\\\"'<>]+/?", re.IGNORECASE)


def _is_origin(value: Any) -> bool:
    return value in (None, "") or (isinstance(value, str) and bool(ORIGIN.fullmatch(value)))


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 < value <= conf.MAX_LINK_LENGTH


#: setting -> what its value must be
RULES: Final[dict[str, Rule]] = {
    "BEACON_ANONYMISE_ADDRESSES": BOOLEAN,
    "BEACON_BASE_URL": Rule("a URL without a path, such as 'https://example.com'", _is_origin),
    "BEACON_LINK_MAX_AGE": Rule(
        "a positive number, of seconds, or None", lambda v: v is None or POSITIVE.fits(v)
    ),
    "BEACON_MAX_URL_LENGTH": Rule(
        f"a whole number from 1 to {conf.MAX_LINK_LENGTH}, of characters", _is_length
    ),
    "BEACON_SYNCHRONOUS": BOOLEAN,
    LOCAL: BOOLEAN,
}


def register() -> None:
    """Have Django run the checks."""
    checks.register(check_beacons, TAG)


def check_beacons(**_: Any) -> list[CheckMessage]:
    """Find settings that cannot work or do nothing, and counters that do not exist."""
    return [
        *check_names(conf.PREFIX, conf.DEFAULTS, error_id="trackable_beacons.E001"),
        *check_values(RULES, error_id="trackable_beacons.E002"),
        *_check_counting(),
        *_check_guards(),
    ]


def _check_counting() -> Iterator[CheckMessage]:
    for model in apps.get_models():
        if issubclass(model, TrackableData):
            found = {message.msg: message for message in _check_data_class(model)}
            yield from found.values()  # one name may stand for both


def _check_data_class(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    counters = counters_of(data_cls)
    for role, name in counting.names_in(data_cls).items():
        if role not in counting.ROLES:
            yield _declared_wrongly(data_cls, f"{role!r:.80} is neither 'target' nor 'source'")
        if not isinstance(name, str) or name not in counters:
            yield _declared_wrongly(data_cls, f"{name!r:.80} is none of its counters")


def _declared_wrongly(data_cls: type[TrackableData], what: str) -> CheckMessage:
    names = ", ".join(counters_of(data_cls)) or "none yet"
    return Error(
        f"{data_cls._meta.label}.{counting.ATTRIBUTE} cannot be counted by: {what}.",
        hint=f"Set it to a counter, or to a dictionary such as {{'source': 'clicks'}}."
        f" Its counters are {names}.",
        obj=data_cls,
        id="trackable_beacons.E003",
    )


def _check_guards() -> Iterator[CheckMessage]:
    if getattr(settings, LOCAL, False) and (found := middleware.guards()):
        yield CheckWarning(
            f"{LOCAL} has no effect: {', '.join(found)} looks at each view before it is called.",
            hint="Remove the setting: targets are redirected to, so that no such middleware is"
            " passed by.",
            id="trackable_beacons.W001",
        )
