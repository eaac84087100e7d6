"""Ships what this machine has emitted, without folding."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from trackable import broker, conf, shipping
from trackable.journal import segments
from trackable.journal.segments import OPEN, SEALED, SHIPPED


class Command(BaseCommand):
    help = (
        "Seal what this machine has emitted and ship it to the broker, without folding: for"
        " machines where no threads run, or before a container's disk goes."
    )

    def handle(self, *, verbosity: int, **options: Any) -> None:
        directory = conf.journal_dir()
        if not broker.is_configured():
            waiting = len(segments.listing(directory, OPEN, SEALED))
            self.stdout.write(
                "There is nothing to ship to: TRACKABLE_BROKER_URL names no broker."
                f" {waiting} segments wait in {directory} for fold_trackable_messages."
            )
            return
        try:
            directory.mkdir(parents=True, exist_ok=True)
            os.listdir(directory)
        except OSError as error:
            raise CommandError(
                f"The journal in {directory} cannot be used ({error}): see to its folder."
            ) from error
        shipped, waiting = ship(directory)
        if verbosity:
            self.stdout.write(describe(directory, shipped))
        if waiting:
            raise CommandError(
                f"{waiting} segments still wait: the broker does not answer, here or for the"
                " process that ships for this machine. Start it, or correct"
                " TRACKABLE_BROKER_URL, and run this again."
            )


def ship(directory: Path) -> tuple[int, int]:
    """Ship what can be shipped; return the numbers of segments shipped and waiting."""
    patience_seconds = 2 * float(conf.get("FLUSH_INTERVAL")) + 1
    shipping.flush(directory, wait_seconds=patience_seconds)
    before = {segment.id for segment in segments.listing(directory, SEALED)}
    shipping.ship_until(directory, time.monotonic() + patience_seconds)
    after = {segment.id for segment in segments.listing(directory, SEALED)}
    return len(before - after), len(after)


def describe(directory: Path, shipped: int) -> str:
    """Return what was shipped and what waits, in a line."""
    waiting = len(segments.listing(directory, OPEN, SEALED))
    unfolded = len(segments.listing(directory, SHIPPED))
    return f"Shipped {shipped} segments; {waiting} wait for the broker, {unfolded} for their fold."
