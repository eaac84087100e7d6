"""What the settings say of forwarding: which counters, to whom, under which names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.core.signals import setting_changed
from django.db import router

from trackable import conf as core_conf
from trackable.contrib.analytics import services
from trackable.exceptions import UnknownField

SETTING: Final = "TRACKABLE_FORWARD"
KEYS: Final = frozenset({"services", "category", "action"})


@dataclass(frozen=True, slots=True)
class Forward:
    """How a counter is forwarded: to these services, or to all, as an event of these names."""

    services: tuple[str, ...]
    category: str
    action: str

    @classmethod
    def of(cls, key: str, given: Mapping[str, Any]) -> Forward:
        label, _, counter = key.rpartition(".")
        known = [alias for alias, _, _ in services.configured()]
        named = _texts(given.get("services", known))
        return cls(
            tuple(alias for alias in known if alias in named),
            str(given.get("category", label)),
            str(given.get("action", counter)),
        )


def _texts(value: Any) -> tuple[str, ...]:
    """Return the names that an entry has: one, or a list of them. The checks tell of others."""
    if isinstance(value, str):
        return (value,)
    are_texts = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    return tuple(value) if are_texts else ()


def forward_of(data_class: str, counter: str) -> Forward | None:
    """Return how a counter is forwarded, ``None`` if it is not."""
    return _forwards().get((data_class, counter))


def is_forwarded(data_class: str) -> bool:
    """Tell whether any counter of a data class is forwarded."""
    return any(label == data_class for label, _ in _forwards())


@lru_cache(maxsize=1)
def _forwards() -> dict[tuple[str, str], Forward]:
    found = {}
    for key, given in core_conf.get("FORWARD").items():
        label, _, counter = str(key).rpartition(".")
        if isinstance(given, Mapping):
            found[label, counter] = Forward.of(str(key), given)
    return found


def forget(**_: Any) -> None:
    """Read the settings afresh."""
    _forwards.cache_clear()


def check_forward(**_: Any) -> list[CheckMessage]:
    """Find what ``TRACKABLE_FORWARD`` names that does not exist."""
    given = core_conf.get("FORWARD")
    if not isinstance(given, Mapping):
        return []  # the core says so
    aliases = [alias for alias, _, _ in services.configured()]
    flaws = [each for key, entry in given.items() for each in _flaws(key, entry, aliases)]
    return [*flaws, *(_check_tables() if given else ())]


def _check_tables() -> Iterator[CheckMessage]:
    from trackable.contrib.analytics.models import ForwardedAmount
    from trackable.folding import ledger

    for alias in ledger.aliases():
        if not router.allow_migrate_model(alias, ForwardedAmount):
            yield Error(
                f"The database '{alias}' counts, and has no table for what is forwarded.",
                hint=f"Let the database routers migrate {ForwardedAmount._meta.label} there.",
                id="trackable_analytics.E011",
            )


def _flaws(key: Any, given: Any, aliases: list[str]) -> Iterator[CheckMessage]:
    where = f"{SETTING}[{str(key)[:100]!r}]"
    if not _is_counter(str(key)):
        yield Error(
            f"{where} names no counter.",
            hint="Name one as 'app.DataClass.counter'.",
            id="trackable_analytics.E008",
        )
    if not isinstance(given, Mapping) or not given.keys() <= KEYS:
        yield Error(
            f"{where} has another shape.",
            hint=f"It must be a dictionary with keys among {', '.join(sorted(KEYS))}.",
            id="trackable_analytics.E009",
        )
        return
    named = given.get("services", aliases)
    if not _texts(named) and aliases:
        yield Error(
            f"{where}['services'] is {repr(named)[:80]}.",
            hint="It must be a list of the names of services.",
            id="trackable_analytics.E009",
        )
    for name in _texts(named):
        if name not in aliases:
            yield Error(
                f"{where} names the service {name!r:.80}, which the settings do not have.",
                hint=f"The services are {', '.join(aliases) or 'none'}.",
                id="trackable_analytics.E010",
            )


def _is_counter(key: str) -> bool:
    from trackable.counters import counters_of
    from trackable.models import TrackableData

    label, _, counter = key.rpartition(".")
    try:
        model = apps.get_model(label)
        return issubclass(model, TrackableData) and bool(counters_of(model)[counter])
    except (LookupError, ValueError, UnknownField):
        return False


setting_changed.connect(forget, dispatch_uid="trackable.analytics.forwarding.forget")
