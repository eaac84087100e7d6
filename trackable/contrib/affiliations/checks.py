"""System checks of affiliations, with numbered ids: settings, triggers, and the middleware."""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import router
from django.utils.module_loading import import_string

from trackable.checks.rules import BOOLEAN, POSITIVE, Rule, check_names, check_values
from trackable.contrib.affiliations import attribution, conf, connecting
from trackable.contrib.affiliations.middleware import AffiliateVisitorsRegistrationMiddleware

TAG: Final = "trackable_affiliations"
MIDDLEWARE: Final = (
    f"{AffiliateVisitorsRegistrationMiddleware.__module__}"
    f".{AffiliateVisitorsRegistrationMiddleware.__qualname__}"
)


def _is_whole(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable()


#: setting -> what its value must be
RULES: Final[dict[str, Rule]] = {
    "AFFILIATE_ATTRIBUTION": Rule(
        "'first' or 'last'", lambda value: value in (attribution.FIRST, attribution.LAST)
    ),
    "AFFILIATE_ATTRIBUTION_WINDOW": Rule(
        "a positive number, of seconds, or None", lambda v: v is None or POSITIVE.fits(v)
    ),
    "AFFILIATE_CALLBACK_ALLOW_PRIVATE": BOOLEAN,
    "AFFILIATE_CALLBACK_ATTEMPTS": Rule("a positive whole number", _is_whole),
    "AFFILIATE_CALLBACK_TIMEOUT": POSITIVE,
    "AFFILIATE_DELIVERY_PERIOD": POSITIVE,
    "AFFILIATE_QUERY_STRING_KEY": Rule("a text that is not empty", _is_key),
    "AFFILIATE_SESSION_KEY": Rule("a text that is not empty", _is_key),
    "AFFILIATE_TRIGGERS": Rule("a list or a tuple", lambda v: isinstance(v, list | tuple)),
    "AFFILIATE_VISITORS_PER_MINUTE": Rule(
        "a positive whole number, or None", lambda v: v is None or _is_whole(v)
    ),
}


def register() -> None:
    """Have Django run the checks."""
    checks.register(check_affiliations, TAG)


def check_affiliations(**_: Any) -> list[CheckMessage]:
    """Find settings that cannot work, triggers that cannot fire, and visitors nobody keeps."""
    known = [conf.PREFIX + name for name in conf.DEFAULTS]
    return [
        *check_names(conf.PREFIX, known, error_id="trackable_affiliations.E001"),
        *check_values(RULES, error_id="trackable_affiliations.E002"),
        *_check_triggers(),
        *_check_names(),
        *_check_middleware(),
        *_check_library(),
        *_check_routing(),
    ]


def _check_triggers() -> Iterator[CheckMessage]:
    for entry in connecting.entries():
        try:
            connecting.read(entry)
        except connecting.BadTrigger as error:
            yield Error(
                f"The trigger {connecting.name_of(entry)} in AFFILIATE_TRIGGERS is not connected:"
                f" {error}.",
                hint="Give its name, and the paths of a signal, a receiver and a sender.",
                id="trackable_affiliations.E003",
            )


def _check_names() -> Iterator[CheckMessage]:
    """Find names that some databases take for one."""
    folded: dict[str, str] = {}
    for name in conf.trigger_names():
        if (other := folded.setdefault(_folded(name), name)) != name:
            yield Error(
                f"The triggers {other!r} and {name!r} in AFFILIATE_TRIGGERS have names that some"
                " databases take for one.",
                hint="Give them names that differ in more than case and accents.",
                id="trackable_affiliations.E004",
            )


def _folded(name: str) -> str:
    """Return a name without what a database may overlook: case, accents, blanks at the end."""
    letters = unicodedata.normalize("NFKD", name)
    return "".join(each for each in letters if not unicodedata.combining(each)).casefold().rstrip()


def _check_middleware() -> Iterator[CheckMessage]:
    own = _place_of(AffiliateVisitorsRegistrationMiddleware)
    if own is None:
        if connecting.entries():
            yield CheckWarning(
                f"Triggers find no visitor: {MIDDLEWARE} is not in MIDDLEWARE.",
                hint="Add it, below the middleware of sessions and of authentication.",
                id="trackable_affiliations.W001",
            )
        return
    session = _place_of(SessionMiddleware)
    if session is None or session > own:
        yield Error(
            "Visitors cannot be kept: the middleware of affiliations finds no session.",
            hint=f"Put django.contrib.sessions.middleware.SessionMiddleware above {MIDDLEWARE}.",
            id="trackable_affiliations.E005",
        )


def _place_of(wanted: type[Any]) -> int | None:
    """Return where in MIDDLEWARE the class is, or a subclass."""
    for place, path in enumerate(settings.MIDDLEWARE):
        try:
            found = import_string(path)
        except ImportError:
            continue  # Django says so when it starts
        if isinstance(found, type) and issubclass(found, wanted):
            return place
    return None


def _check_library() -> Iterator[CheckMessage]:
    if importlib.util.find_spec("urllib3") is None:
        yield Error(
            "Partners cannot be called: urllib3 is not installed.",
            hint="Install trackable[affiliations].",
            id="trackable_affiliations.E006",
        )


def _check_routing() -> Iterator[CheckMessage]:
    """Find models that no transaction and no foreign key would hold together."""
    models = apps.get_app_config("trackable_affiliations").get_models()
    found = sorted({router.db_for_write(model) for model in models})
    if len(found) > 1:
        yield Error(
            f"The models of affiliations are in several databases: {', '.join(found)}.",
            hint="Have the database routers send all of the app's models to one.",
            id="trackable_affiliations.E007",
        )
