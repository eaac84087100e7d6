"""Reporting: what goes wrong beside a visitor's page goes to the log, and not to the visitor."""

from __future__ import annotations

import logging
import traceback

from django.conf import settings

from trackable import notices
from trackable.exceptions import TrackableError

logger = logging.getLogger(__name__)


def report(what: str, error: Exception) -> None:
    """Log an error; one of the program shows in development."""
    if settings.DEBUG and isinstance(error, TrackableError):
        raise error
    log(what, error)


def log(what: str, error: Exception) -> None:
    """Log where it happened, once an hour, and nothing that was said: a visitor may have said it.

    ``what`` has nothing of a visitor in it either.
    """
    kind = type(error).__name__
    if notices.is_news(f"analytics: {what} {kind}"):
        frames = "".join(traceback.format_tb(error.__traceback__))
        logger.error("%s: %s was raised.\n%s", what, kind, frames)
