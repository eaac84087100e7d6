"""Services: whom hits are told to, as the settings say.

A service has a name of its own, or the dotted path of its class.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from trackable import notices
from trackable.contrib.analytics import conf
from trackable.contrib.analytics.services.base import Remark, Request, Response, Service

__all__ = ["Remark", "Request", "Response", "Service", "class_of", "configured", "in_force"]

logger = logging.getLogger(__name__)

#: name -> dotted path of the class
BUILT_IN: Final = {
    "ga4": "trackable.contrib.analytics.services.ga4.GA4Service",
    "matomo": "trackable.contrib.analytics.services.matomo.MatomoService",
    "plausible": "trackable.contrib.analytics.services.plausible.PlausibleService",
    "universal": "trackable.contrib.analytics.services.universal.UniversalService",
}
#: what the properties of GA4 begin with
GA4_PREFIX: Final = "G-"
#: what the service of ``SERVER_SIDE_TRACKING_GA`` is called
GOOGLE_ALIAS: Final = "google"

_known: tuple[Service, ...] | None = None


def in_force() -> tuple[Service, ...]:
    """Return the services of the settings. One that cannot be made is logged and left out."""
    global _known
    if _known is None:
        _known = tuple(_made())
    return _known


def _made() -> Iterator[Service]:
    for alias, name, given in {each[0]: each for each in configured()}.values():
        try:
            yield class_of(name)(given, alias=alias)
        except Exception as error:
            kind = type(error).__name__
            if notices.is_news(f"analytics: {alias} {kind}"):
                logger.error("The service %a cannot be made (%s): run the checks.", alias, kind)


def configured() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the alias, the name or path, and the options of each service in the settings."""
    if google := conf.google_service():
        yield _of_google(google)
    for alias, given in conf.dictionary(conf.SERVICES).items():
        options = given if isinstance(given, Mapping) else {}
        rest = {key: value for key, value in options.items() if key != "service"}
        yield str(alias), str(options.get("service", alias)), rest


def _of_google(given: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
    """Return the service that ``SERVER_SIDE_TRACKING_GA`` names by its property."""
    rest = {key: value for key, value in given.items() if key not in conf.GOOGLE_OPTIONS}
    name = str(given.get("property", ""))
    if name.startswith(GA4_PREFIX):
        return GOOGLE_ALIAS, "ga4", {**rest, "measurement_id": name}
    if given.get("ssl", True) is False and "url" not in rest:
        rest["url"] = "http://www.google-analytics.com"
    return GOOGLE_ALIAS, "universal", {**rest, "property": name}


def class_of(name: str) -> type[Service]:
    """Return the class of a service. Raises ``ImportError`` if there is none."""
    found = import_string(BUILT_IN.get(name, name))
    if not (isinstance(found, type) and issubclass(found, Service)):
        raise ImportError(f"{name} is no service")
    return found


def forget(**_: Any) -> None:
    """Make the services afresh when they are asked for."""
    global _known
    _known = None


setting_changed.connect(forget, dispatch_uid="trackable.analytics.services.forget")
