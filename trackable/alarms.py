"""Alarms: one mail to ``ADMINS`` for each outage, however many processes notice it.

A file in the journal's folder stands for the outage, so that a restart does not mail again.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from django.core.mail import mail_admins

from trackable import conf

logger = logging.getLogger(__name__)

BROKER: Final = "broker"
JOURNAL: Final = "journal"


def sound(directory: Path, outage: str, text: str) -> None:
    """Log the start of an outage, and mail it if ``TRACKABLE_CAPTURE_CONNECTION_ERRORS``."""
    if not _begin(directory, outage):
        logger.debug("Still: %s", text)
        return
    logger.error("%s", text)
    if outage == JOURNAL or conf.get("CAPTURE_CONNECTION_ERRORS"):
        _mail(f"trackable: {outage} outage", text)


def end(directory: Path, outage: str, *, quiet_seconds: float = 0.0) -> None:
    """Log the end of an outage, if there was one and nobody has met it for so long."""
    marker = _marker(directory, outage)
    try:
        if time.time() - marker.stat().st_mtime < quiet_seconds:
            return
        marker.unlink()
    except FileNotFoundError:
        return
    logger.warning("The %s outage is over.", outage)


def _begin(directory: Path, outage: str) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        marker = _marker(directory, outage)
        marker.touch(exist_ok=False)
    except FileExistsError:
        marker.touch()
        return False
    except OSError as error:
        logger.debug("No outage can be noted in %s: %s", directory, error)
    return True


def _marker(directory: Path, outage: str) -> Path:
    return directory / f"{outage}.outage"


def _mail(subject: str, text: str) -> None:
    try:
        mail_admins(subject, text)
    except Exception:
        logger.exception("ADMINS could not be mailed of: %s", subject)
