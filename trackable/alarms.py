"""Alarms: one mail to ``ADMINS`` for each outage, however many processes notice it.

A file in the journal's folder stands for the outage, so that a restart does not mail again.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Final

from django.core.mail import mail_admins

from trackable import conf, notices

logger = logging.getLogger(__name__)

BROKER: Final = "broker"
JOURNAL: Final = "journal"

#: How long nobody must have met an outage for it to be over.
QUIET_SECONDS: Final = 60.0


def sound(directory: Path, outage: str, text: str) -> None:
    """Log the start of an outage, and mail it if ``TRACKABLE_CAPTURE_CONNECTION_ERRORS``."""
    if not _begin(directory, outage):
        logger.debug("Still: %s", text)
        return
    logger.error("%s", text)
    if outage == JOURNAL or conf.get("CAPTURE_CONNECTION_ERRORS"):
        _mail(f"trackable: {outage} outage", text)


def end(directory: Path, outage: str) -> None:
    """Log the end of an outage, if there was one and nobody has met it for a minute.

    So one that comes and goes is one outage.
    """
    marker = _marker(directory, outage)
    try:
        if time.time() - marker.stat().st_mtime < QUIET_SECONDS:
            return
        marker.unlink()
    except OSError:
        return
    logger.warning("The %s outage is over.", outage)


def _begin(directory: Path, outage: str) -> bool:
    marker = _marker(directory, outage)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        marker.touch(exist_ok=False)
    except FileExistsError:
        marker.touch()
        return False
    except OSError:
        # The journal itself cannot be written: then this process alone must remember.
        return notices.is_news(str(marker))
    return True


def _marker(directory: Path, outage: str) -> Path:
    return directory / f"{outage}.outage"


def _mail(subject: str, text: str) -> None:
    """Mail in a thread of its own: a mail server that does not answer must hold up nothing."""
    try:
        threading.Thread(target=_send, args=(subject, text), daemon=True).start()
    except RuntimeError as error:
        logger.warning("ADMINS could not be mailed of: %s (%s)", subject, error)


def _send(subject: str, text: str) -> None:
    try:
        mail_admins(subject, text)
    except Exception:
        logger.exception("ADMINS could not be mailed of: %s", subject)
