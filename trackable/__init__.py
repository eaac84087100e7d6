"""Out-of-band, time-series counters on Django models, exact after any crash."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trackable.exceptions import AlreadyRegistered, NotRegistered, TrackableError
from trackable.sites import TrackableSite, register, site

if TYPE_CHECKING:
    from trackable.models import TrackableData, TrackableTimeSeriesData
    from trackable.reading.popularity import counted, popular
    from trackable.uniques.fields import UniqueCount

__version__ = "1.0.0.dev0"

__all__ = [
    # registry
    "TrackableSite",
    "register",
    "site",
    # models: resolved when first asked for
    "TrackableData",
    "TrackableTimeSeriesData",
    # counts of many objects: resolved too
    "counted",
    "popular",
    # the field of distinct counts: resolved too
    "UniqueCount",
    # errors
    "AlreadyRegistered",
    "NotRegistered",
    "TrackableError",
]


#: what needs models -> the module that has it
_LATER = {
    "TrackableData": "trackable.models",
    "TrackableTimeSeriesData": "trackable.models",
    "UniqueCount": "trackable.uniques.fields",
    "counted": "trackable.reading.popularity",
    "popular": "trackable.reading.popularity",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
