"""Reporting: what failed at the edge of a request goes to the log, and the request goes on."""

from __future__ import annotations

import logging
import traceback

from trackable import notices

logger = logging.getLogger(__name__)


def report(what: str, error: Exception) -> None:
    """Log where it happened, each kind once an hour, and nothing that was said there.

    A visitor may have said it.
    """
    kind = type(error).__name__
    if notices.is_news(f"affiliations: {what} {kind}"):
        frames = "".join(traceback.format_tb(error.__traceback__))
        logger.error("%s: %s was raised.\n%s", what, kind, frames)
