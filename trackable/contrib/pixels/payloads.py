"""Payloads: what an image's address says once it is decrypted, and whom it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: the keyword argument in which options travel, whatever encoder there is
OPTIONS: Final = "trackable_options"
EXPIRES: Final = "expires"
TO: Final = "to"
#: what ``record`` could not be called with, because it has parameters of these names
TAKEN: Final = frozenset({"request", "self"})


@dataclass(frozen=True, slots=True)
class Payload:
    """The arguments that ``record`` is called with, and until when and of whom."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    expires_at_seconds: int | None = None
    to: str | None = None

    def is_expired(self, now_seconds: float) -> bool:
        """Tell whether it may call nobody any more."""
        return self.expires_at_seconds is not None and self.expires_at_seconds <= now_seconds

    @property
    def is_empty(self) -> bool:
        """Tell whether there are no arguments, and so nobody to call: as django-ptrack has it."""
        return not self.args and not self.kwargs

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments that travel: the options, if any, among them."""
        options = {EXPIRES: self.expires_at_seconds, TO: self.to}
        given = {name: value for name, value in options.items() if value is not None}
        return {**self.kwargs, **({OPTIONS: given} if given else {})}


def payload_of(decoded: Any) -> Payload | None:
    """Return the payload that an encoder has decrypted; ``None`` if nobody can be called with it.

    Options that this version does not know forbid a call: nobody knows what they would forbid.
    """
    match decoded:
        case [list() | tuple() as args, dict() as kwargs]:
            pass
        case _:
            return None
    if not all(isinstance(name, str) for name in kwargs) or TAKEN & kwargs.keys():
        return None
    options = kwargs.get(OPTIONS, {})
    if not _are_options(options):
        return None
    rest = {name: value for name, value in kwargs.items() if name != OPTIONS}
    return Payload(args, rest, options.get(EXPIRES), options.get(TO))


def _are_options(options: Any) -> bool:
    if not isinstance(options, dict) or not options.keys() <= {EXPIRES, TO}:
        return False
    return type(options.get(EXPIRES, 0)) is int and isinstance(options.get(TO, ""), str)
