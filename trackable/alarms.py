"""Alarms: one mail to ``ADMINS`` for each outage, however many processes notice it.

A file in the journal's folder stands for the outage, so that a restart does not mail again; where
that folder is what fails, one in the folder for temporary files does.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from django.core.mail import mail_admins

from trackable import conf, notices
from trackable.journal import files

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
    met_at = last_met(directory, outage)
    if met_at is None:
        return
    quiet_seconds = time.time() - met_at
    if quiet_seconds < -QUIET_SECONDS:
        # The clock was set back since: the minute begins now.
        _meet(directory, outage)
    elif quiet_seconds >= QUIET_SECONDS:
        for marker in _markers(directory, outage):
            with suppress(OSError):
                marker.unlink()
        logger.warning("The %s outage is over.", outage)


def last_met(directory: Path, outage: str) -> float | None:
    """Return when somebody last met an outage, in seconds since the epoch; ``None`` without one."""
    met_at = [at for marker in _markers(directory, outage) if (at := _met_at(marker)) is not None]
    return max(met_at, default=None)


def _begin(directory: Path, outage: str) -> bool:
    """Tell whether an outage is new to this machine, and remember it."""
    if _meet(directory, outage):
        return False
    for marker in _markers(directory, outage):
        try:
            _make(marker)
        except FileExistsError:
            return False  # another process was quicker
        except OSError:
            continue
        return True
    # Nothing can be written: then this process alone must remember.
    return notices.is_news(str(_marker(directory, outage)))


def _make(marker: Path) -> None:
    with suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, files.MODE)
    try:
        files.share(fd, marker.parent)
    finally:
        os.close(fd)


def _meet(directory: Path, outage: str) -> bool:
    """Date the marker of an outage anew; tell whether there is one."""
    known = [m for m in _markers(directory, outage) if _met_at(m) is not None]
    for marker in known:
        with suppress(OSError):
            os.utime(marker, follow_symlinks=False)
    return bool(known)


def _met_at(marker: Path) -> float | None:
    try:
        return marker.lstat().st_mtime
    except OSError:
        return None


def _markers(directory: Path, outage: str) -> tuple[Path, Path]:
    digest = sha256(os.fsencode(directory.absolute())).hexdigest()[:12]
    spare = Path(tempfile.gettempdir()) / f"trackable-{os.geteuid()}-{digest}-{outage}.outage"
    return _marker(directory, outage), spare


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
