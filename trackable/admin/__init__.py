"""The admin pages: of trackable's own models, and of data classes."""

from trackable.admin.data import TrackableDataAdmin
from trackable.admin.own import hide, show

__all__ = ["TrackableDataAdmin", "hide", "show"]
