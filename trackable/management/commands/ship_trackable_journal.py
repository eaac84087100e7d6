"""Ships what this machine has emitted, without folding."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from trackable import broker, conf, shipping
from trackable.journal import segments
from trackable.journal.segments import OPEN, SEALED, SHIPPED
from trackable.shipping import Shipper


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
            shipped, is_shipper = ship(directory)
        except OSError as error:
            raise CommandError(
                f"The journal in {directory} cannot be used ({error}): see to its folder."
            ) from error
        waiting = len(segments.listing(directory, SEALED))
        if verbosity:
            self.stdout.write(describe(directory, shipped))
        if waiting:
            raise CommandError(explain(waiting, is_shipper))


def ship(directory: Path) -> tuple[int, bool]:
    """Ship what can be shipped; return the number of segments, and whether it was done here.

    Where another process is the machine's shipper, waits for that one as a fold would.
    """
    wait_seconds = 2 * float(conf.get("FLUSH_INTERVAL")) + 1
    shipping.flush(directory, wait_seconds=wait_seconds)
    before = waiting = {segment.id for segment in segments.listing(directory, SEALED)}
    shipper = Shipper(directory)
    deadline = time.monotonic() + wait_seconds
    try:
        while not shipper.ship() and waiting and time.monotonic() < deadline:
            if shipper.lock.is_held:
                break
            time.sleep(shipping.POLL_SECONDS)
            waiting = {segment.id for segment in segments.listing(directory, SEALED)}
        after = {segment.id for segment in segments.listing(directory, SEALED)}
        return len(before - after), shipper.lock.is_held
    finally:
        shipper.close()


def describe(directory: Path, shipped: int) -> str:
    """Return what was shipped and what waits, in a line."""
    waiting = len(segments.listing(directory, OPEN, SEALED))
    unfolded = len(segments.listing(directory, SHIPPED))
    return f"Shipped {shipped} segments; {waiting} wait for the broker, {unfolded} for their fold."


def explain(waiting: int, is_shipper: bool) -> str:
    """Return why segments still wait, and the cure."""
    if is_shipper:
        return (
            f"The broker does not answer; {waiting} segments wait. Start it, or correct"
            " TRACKABLE_BROKER_URL, and run this again."
        )
    return (
        f"Another process ships for this machine, and {waiting} segments still wait: see in its"
        " log whether the broker answers, and run this again."
    )
