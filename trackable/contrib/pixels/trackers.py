"""Trackers: which pixels are called when an image is loaded, and their base class."""

from __future__ import annotations

import inspect
import logging
import traceback
from abc import ABC, abstractmethod
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from trackable import notices
from trackable.contrib.pixels import callables
from trackable.contrib.pixels.exceptions import PtrackRegistrationError
from trackable.contrib.pixels.payloads import Payload

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

#: What is a pixel's own affair. A worker that hangs is stopped by other errors than these.
FAILURES: Final = (Exception, CancelledError)
#: of what led to an error, the last ones
SHOWN_FRAMES: Final = 10


class TrackingPixel(ABC):
    """A pixel: derive from it, define ``record``, and register the class in a ``pixels.py``."""

    #: whether it is called for those images alone that are addressed to it
    is_addressed: ClassVar[bool] = False

    @abstractmethod
    def record(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Do what is to be done when an image with these arguments is loaded.

        The image waits for it. What it raises, except what ends the process, is logged, each
        cause once an hour, and keeps nobody from the image.
        """


T = TypeVar("T", bound=type[TrackingPixel])


class Tracker:
    """A registry of pixels by the names of their classes; it holds an instance of each."""

    def __init__(self, name: str = "ptrack") -> None:
        self.name = name
        self._registry: dict[str, TrackingPixel] = {}

    def register(self, pixel: T) -> T:
        """Have a class called for images; returns the class, so it decorates one too.

        Raises ``PtrackRegistrationError``.
        """
        _check(pixel)
        if pixel.__name__ in self._registry:
            module = type(self._registry[pixel.__name__]).__module__
            raise PtrackRegistrationError(
                f"ptrack already has class {pixel.__name__} registered, from {module}: rename one"
                " of the two, or unregister the other first."
            )
        _check_pixel(pixel)
        self._registry[pixel.__name__] = pixel()
        return pixel

    def unregister(self, pixel: type[TrackingPixel] | str) -> None:
        """Forget a class, which may be given by its name. Raises ``PtrackRegistrationError``."""
        if not isinstance(pixel, str | type):
            raise PtrackRegistrationError(f"{pixel!a:.100} is no class, nor the name of one.")
        name = pixel if isinstance(pixel, str) else pixel.__name__
        held = self._registry.get(name)
        if held is None or not (pixel == name or type(held) is pixel):
            raise PtrackRegistrationError(f"{name} is not registered: there is nothing to forget.")
        del self._registry[name]

    def call(self, request: HttpRequest, payload: Payload) -> None:
        """Call the pixel that a payload is for, or all those that are not called by address only.

        Raises nothing of what they raise, except what ends the process.
        """
        for pixel in self._called_for(payload.to):
            try:
                pixel.record(request, *payload.args, **payload.kwargs)
            except BaseException as error:  # the edge of the request: the others have their turn
                if not _is_failure(error):
                    raise
                _log(pixel, error, payload)

    def call_callbacks(self, request: HttpRequest, /, *args: Any, **kwargs: Any) -> None:
        """Call every pixel that is not called by address only."""
        self.call(request, Payload(args, kwargs))

    def _called_for(self, to: str | None) -> list[TrackingPixel]:
        if to is not None:
            return [self._registry[to]] if to in self._registry else []
        return [pixel for pixel in self._registry.values() if not pixel.is_addressed]


def _check(pixel: Any) -> None:
    if not inspect.isclass(pixel):
        raise PtrackRegistrationError(
            f"{pixel} is not a class, must subclass ptrack.TrackingPixel: register the class."
        )


def _check_pixel(pixel: type[Any]) -> None:
    name = pixel.__name__
    if not issubclass(pixel, TrackingPixel):
        raise PtrackRegistrationError(
            f"{name} does not inherit from ptrack.TrackingPixel: derive it from that class."
        )
    if inspect.isabstract(pixel):
        missing = ", ".join(sorted(pixel.__abstractmethods__))
        raise PtrackRegistrationError(f"{name} is abstract: define its {missing}.")
    if flaw := callables.flaw_of(pixel, "record"):
        raise PtrackRegistrationError(
            f"{name}.record {flaw}: make it a plain method, that hands what takes long to a task."
        )


def _is_failure(error: BaseException) -> bool:
    """Tell whether an error is a pixel's own, and not what ends the process or its thread."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(FAILURES)[1] is None
    return isinstance(error, FAILURES)


def _log(pixel: TrackingPixel, error: BaseException, payload: Payload) -> None:
    """Say where a pixel failed, without the error's message: there may be a reader's data in it."""
    frames = traceback.format_tb(error.__traceback__, limit=-SHOWN_FRAMES)
    name, kind = f"{type(pixel).__module__}.{type(pixel).__name__}", type(error).__name__
    if notices.is_news(f"{name} {kind} {frames[-1]}"):
        logger.error(
            "The pixel %a raised %a%s, after:\n%s",
            name,
            kind,
            _reason(pixel, error, payload),
            "".join(frames),
        )


def _reason(pixel: TrackingPixel, error: BaseException, payload: Payload) -> str:
    is_taken = callables.takes(pixel.record, None, *payload.args, **payload.kwargs)
    if is_taken or not isinstance(error, TypeError):
        return ""
    return ", as its record() does not take these arguments"


#: the default registry
tracker = Tracker()
