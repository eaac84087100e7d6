"""Journals: what commands do with the segments of this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

from django.core.management.base import CommandError

from trackable import conf, shipping
from trackable.journal import segments
from trackable.journal.segments import SEALED
from trackable.status.words import counted


def usable() -> Path:
    """Return the folder of this machine's journal; a ``CommandError`` if it cannot be used."""
    directory = conf.journal_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        os.listdir(directory)
    except OSError as error:
        raise CommandError(
            f"The journal in {directory} cannot be used ({error}): see to its folder."
        ) from error
    return directory


def ship(directory: Path) -> int:
    """Ship everything that this machine has emitted; return the number of segments shipped.

    A ``CommandError`` if some still wait.
    """
    patience_seconds = 2 * float(conf.get("FLUSH_INTERVAL")) + 1
    shipping.flush(directory, wait_seconds=patience_seconds)
    before = {segment.id for segment in segments.listing(directory, SEALED)}
    shipping.ship_until(directory, time.monotonic() + patience_seconds)
    after = {segment.id for segment in segments.listing(directory, SEALED)}
    if after:
        raise CommandError(
            f"{counted(len(after), 'segment')} still to ship, {len(before - after):,} shipped: the"
            " broker does not answer, here or for the process that ships for this machine. Start"
            " it, or correct TRACKABLE_BROKER_URL, and run this again."
        )
    return len(before)
