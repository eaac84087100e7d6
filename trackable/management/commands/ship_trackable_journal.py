"""Ships what this machine has emitted, without folding."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error

from trackable import broker, conf, settling
from trackable.journal import segments
from trackable.journal.segments import OPEN, SEALED, SHIPPED
from trackable.management import journals
from trackable.management.printing import printable
from trackable.status.words import counted


class Command(BaseCommand):
    help = (
        "Seal what this machine has emitted and ship it to the broker, without folding: for"
        " machines where no threads run, or before a container's disk goes."
    )

    def handle(self, *, verbosity: int, **options: Any) -> None:
        if not broker.is_configured():
            directory = conf.journal_dir()
            waiting = segments.count(directory, OPEN, SEALED)
            self.stdout.write(
                "There is nothing to ship to: TRACKABLE_BROKER_URL names no broker."
                f" {counted(waiting, 'segment')} in {directory} for fold_trackable_messages."
            )
            return
        directory = journals.usable()
        self._settle(directory)
        shipped = journals.ship(directory)
        if verbosity:
            waiting = segments.count(directory, OPEN, SEALED)
            unfolded = segments.count(directory, SHIPPED)
            self.stdout.write(
                f"Shipped {counted(shipped, 'segment')}; {waiting:,} to be shipped, {unfolded:,} to"
                " be folded."
            )

    def _settle(self, directory: Path) -> None:
        """Remove what is folded, and seal what was lost: where no threads run, nobody else does."""
        try:
            settling.settle(directory, time.time())
        except Error as error:
            self.stderr.write(
                f"The ledger was not asked what is folded ({printable(error)}): the segments stay."
            )
