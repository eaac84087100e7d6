"""What affiliations raise: a leaf of ``TrackableError``, with its cure."""

from __future__ import annotations

from trackable.exceptions import TrackableError


class InvalidCallBackURL(TrackableError, ValueError):  # noqa: N818  # a name of old
    """No partner can be called there: give an http or https URL with {visitor_id} in it."""
