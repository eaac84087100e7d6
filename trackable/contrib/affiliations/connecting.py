"""Connecting: the entries of ``AFFILIATE_TRIGGERS``, and the signals that these are about.

An entry is a name, and the dotted paths of a signal, a receiver and a sender; the name alone is of
a trigger that one's own code completes. What is wrong with one concerns no other.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.apps import apps
from django.core.signals import setting_changed
from django.db.models import Model
from django.dispatch import Signal
from django.utils.inspect import func_accepts_kwargs
from django.utils.module_loading import import_string

from trackable.contrib.affiliations import conf
from trackable.exceptions import TrackableError

logger = logging.getLogger(__name__)

#: entries of one name, and of four
LENGTHS: Final = (1, 4)


class BadTrigger(TrackableError):  # noqa: N818
    """The entry cannot be connected: correct it in AFFILIATE_TRIGGERS."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What is connected for an entry."""

    entry: tuple[str, ...]
    signal: Signal
    receiver: Any
    sender: Any

    def connect(self) -> None:
        bound = partial(self.receiver, affiliate_trigger_name=self.entry[0])
        self.signal.connect(bound, sender=self.sender, weak=False, dispatch_uid=self.entry)

    def disconnect(self) -> None:
        self.signal.disconnect(sender=self.sender, dispatch_uid=self.entry)


_connected: Final[list[Trigger]] = []


def entries() -> list[Any]:
    """Return the entries of the setting, right ones and wrong ones."""
    found = conf.get("TRIGGERS")
    return list(found) if isinstance(found, list | tuple) else []


def name_of(entry: Any) -> str:
    """Return how to call an entry, whatever it is."""
    is_named = isinstance(entry, list | tuple) and entry and isinstance(entry[0], str)
    return repr(entry[0] if is_named else entry)[:120]


def read(entry: Any) -> Trigger | None:
    """Import what an entry names; ``None`` if it is a name alone. Raises ``BadTrigger``."""
    is_shaped = isinstance(entry, list | tuple) and len(entry) in LENGTHS
    if not is_shaped or not all(isinstance(text, str) for text in entry):
        raise BadTrigger("it is no tuple of a name, or of a name and three dotted paths")
    name, *paths = entry
    if not 0 < len(name) <= conf.MAX_TRIGGER_LENGTH:
        raise BadTrigger(f"its name must have 1 to {conf.MAX_TRIGGER_LENGTH} characters")
    if not paths:
        return None
    signal, receiver = _signal(paths[0]), _receiver(paths[1])
    return Trigger(tuple(entry), signal, receiver, _sender(paths[2]))


def connect() -> None:
    """Connect the entries that are right; log the others, of which a check tells too."""
    for entry in entries():
        try:
            trigger = read(entry)
        except BadTrigger as error:
            logger.error("The affiliate trigger %a is not connected: %s", name_of(entry), error)
            continue
        if trigger is not None:
            trigger.connect()
            _connected.append(trigger)


def reconnect(*, setting: str, **_: Any) -> None:
    """Connect afresh when the setting changes, which it does in tests."""
    if setting == "AFFILIATE_TRIGGERS":
        while _connected:
            _connected.pop().disconnect()
        connect()


def _signal(path: str) -> Signal:
    found = _imported(path)
    if not isinstance(found, Signal):
        raise BadTrigger(f"{path!a} is no signal")
    return found


def _receiver(path: str) -> Any:
    found = _imported(path)
    if not callable(found) or not func_accepts_kwargs(found):
        raise BadTrigger(f"{path!a} is no function that takes **kwargs")
    return found


def _sender(path: str) -> Any:
    found = _model(path) or _imported(path)
    if isinstance(found, type) and issubclass(found, Model):
        if found._meta.abstract:
            raise BadTrigger(f"{path!a} is abstract, and sends nothing")
        if found._meta.swapped:
            raise BadTrigger(f"{path!a} is swapped out: name {found._meta.swapped} instead")
    return found


def _model(path: str) -> Any:
    """Return the model of a label, such as a setting has it: ``"auth.User"``; else ``None``."""
    try:
        return apps.get_model(path) if path.count(".") == 1 else None
    except LookupError:
        return None


def _imported(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError as error:
        raise BadTrigger(f"{path!a} cannot be imported ({error})") from error
    except Exception as error:  # a module's own code
        kind = type(error).__name__
        raise BadTrigger(f"{path!a} cannot be imported: {kind} is raised there") from error


setting_changed.connect(reconnect, dispatch_uid="trackable.contrib.affiliations.reconnect")
