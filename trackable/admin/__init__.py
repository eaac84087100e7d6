"""The admin pages: of trackable's own models, and of data classes."""

from trackable.admin.data import TrackableDataAdmin
from trackable.admin.own import hide, show
from trackable.admin.quarantine import QuarantinedMessageAdmin

__all__ = ["QuarantinedMessageAdmin", "TrackableDataAdmin", "hide", "show"]
