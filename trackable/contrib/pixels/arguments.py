"""Arguments: what a template may put into an address, and what is wrong with anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.functional import Promise

from trackable.contrib.pixels.exceptions import PtrackArgumentError
from trackable.contrib.pixels.payloads import OPTIONS, TAKEN
from trackable.contrib.pixels.trackers import TrackingPixel

MAX_DEPTH: Final = 20
#: A list may be in others many times, and be far more than it is when all is written out.
MAX_VALUES: Final = 10_000
#: some 600 digits: as many as Python always makes text of, however it is configured
MAX_INTEGER_BITS: Final = 2000
#: of a key that an error shows
SHOWN_LENGTH: Final = 40


def clean(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments as plain integers, strings, lists and dictionaries.

    Raises ``PtrackArgumentError``, naming the argument, for what is none of these, and for
    arguments that are no list or tuple, or keyword arguments that are no mapping.
    """
    if not isinstance(args, list | tuple):  # the letters of a string would be many
        raise _refusal("these arguments", f"they are {_a(args)}, and must be a list or tuple.")
    if not isinstance(kwargs, Mapping):
        raise _refusal("these keyword arguments", f"they are {_a(kwargs)}, and must be a mapping.")
    values = _Values()
    positional = [values.clean(each, f"argument {n}") for n, each in enumerate(args, start=1)]
    named = {}
    for name, each in kwargs.items():
        plain = _clean_name(name)
        named[plain] = values.clean(each, f"argument {plain!r}", within=f"argument {plain}")
    return tuple(positional), named


def clean_address(to: Any) -> str | None:
    """Return the name of the class that an image is for, which may be given itself.

    Raises ``PtrackArgumentError`` for anything but a class of pixels, a string, or ``None``.
    """
    if isinstance(to, type) and issubclass(to, TrackingPixel):
        return to.__name__
    if to is None:
        return None
    name = str.__str__(to) if issubclass(type(to), str) else ""
    if not name or not _is_whole(name):
        raise PtrackArgumentError(
            f"An image cannot be for {to!a:.80}: pass a class of pixels, or the name of one."
        )
    return name


def _clean_name(name: Any) -> str:
    if not issubclass(type(name), str):
        raise _refusal("a keyword argument", f"its name is {_a(name)}, and must be a string.")
    plain = str.__str__(name)
    if plain in TAKEN:
        raise _refusal(f"argument {plain!r}", "record() has a parameter of that name. Rename it.")
    if plain == OPTIONS:
        raise _refusal(f"argument {plain!r}", "options travel under that name. Rename it.")
    return plain


class _Values:
    """Cleans values, and stops at more of them than an address could hold."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def clean(self, value: Any, place: str, *, within: str | None = None, depth: int = 0) -> Any:
        """Return a plain value; the names of places in it begin with ``within``."""
        if isinstance(value, list | tuple):
            self._count(len(value), place, depth)
            return [
                self.clean(each, f"{within or place}[{n}]", depth=depth + 1)
                for n, each in enumerate(value)
            ]
        if isinstance(value, dict):
            self._count(len(value), place, depth)
            return {
                (plain := _clean_key(key, place)): self.clean(
                    each, f"{within or place}[{plain[:SHOWN_LENGTH]!r}]", depth=depth + 1
                )
                for key, each in value.items()
            }
        return _clean_scalar(value, place)

    def _count(self, number: int, place: str, depth: int) -> None:
        self.left -= number
        if self.left < 0:
            raise _refusal(place, f"with it there are more than {MAX_VALUES} values.")
        if depth >= MAX_DEPTH:
            raise _refusal(place, f"it is more than {MAX_DEPTH} deep, or contains itself.")


def _clean_key(key: Any, place: str) -> str:
    if not issubclass(type(key), str):
        raise _refusal(place, f"it has a key that is {_a(key)}, and must be a string.")
    return str(_clean_scalar(key, place))


def _clean_scalar(value: Any, place: str) -> int | str:
    """Return an integer or a string as what it is, whatever its class adds to that."""
    kind = type(value)
    if issubclass(kind, str) or isinstance(value, Promise):
        text = str.__str__(value if issubclass(kind, str) else str(value))
        if not _is_whole(text):
            raise _refusal(place, "it has half a surrogate pair, which is no character.")
        return text
    if not issubclass(kind, int) or kind is bool:
        raise _refusal(
            place,
            f"it is {_a(value)}. Pass integers, strings, and lists or dictionaries of them.",
        )
    if int.bit_length(value) > MAX_INTEGER_BITS:
        raise _refusal(place, f"it has more than {MAX_INTEGER_BITS} bits. Pass it as a string.")
    return int.__int__(value)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _a(value: Any) -> str:
    name = type(value).__name__
    if value is None:
        return "None"
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def _refusal(place: str, reason: str) -> PtrackArgumentError:
    return PtrackArgumentError(f"A pixel cannot carry {place}: {reason}")
