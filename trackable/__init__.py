"""Out-of-band, time-series counters on Django models, exact after any crash."""

from typing import TYPE_CHECKING, Any

from trackable.exceptions import AlreadyRegistered, NotRegistered, TrackableError
from trackable.sites import TrackableSite, register, site

if TYPE_CHECKING:
    from trackable.models import TrackableData, TrackableTimeSeriesData

__version__ = "1.0.0.dev0"

__all__ = [
    # registry
    "TrackableSite",
    "register",
    "site",
    # models: resolved when first asked for
    "TrackableData",
    "TrackableTimeSeriesData",
    # errors
    "AlreadyRegistered",
    "NotRegistered",
    "TrackableError",
]


def __getattr__(name: str) -> Any:
    if name in ("TrackableData", "TrackableTimeSeriesData"):
        from trackable import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
