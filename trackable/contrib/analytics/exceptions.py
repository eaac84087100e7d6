"""Everything that analytics raises on purpose: one root, few leaves, each with its cure."""

from __future__ import annotations

from trackable.exceptions import TrackableError


class AnalyticsError(TrackableError):
    """The root of every error that analytics raises on purpose."""


class HitError(AnalyticsError, ValueError):
    """The hit cannot be told to any service: correct its kind, or the names of its values."""


class InvalidParametersException(AnalyticsError, ValueError):  # noqa: N818  # an old name
    """A URL parameter is unknown, missing, or has a wrong value: see what its class documents.

    The first argument is the message, with places for the others.
    """

    def __str__(self) -> str:
        return str(self.args[0]).format(*self.args[1:]) if self.args else ""

    @property
    def message(self) -> str:
        return str(self)


class RefusedError(AnalyticsError):
    """A service cannot take the hit, for the reason given: no secrets, and nothing of the hit."""
