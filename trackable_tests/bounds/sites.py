"""Sites: a process that emits and one that folds, with a journal and logs of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from django.db.models import Sum

from trackable.journal import segments, tally
from trackable.journal.segments import OPEN, SEALED, SHIPPED
from trackable_tests.bounds.processes import told_by
from trackable_tests.testapp.models import Page, PageData

PER_SECOND = 300
END_SECONDS = 60


class Site:
    """Emits views of a page at a steady rate, and folds them, for as long as it is entered."""

    def __init__(self, home: Path, page: Page, environment: dict[str, str]) -> None:
        self.home, self.page, self._environment = home, page, environment
        self.journal = home / "journal"

    def __enter__(self) -> Site:
        self.home.mkdir()
        emit = ("trackable_tests.bounds.processes", "emit_steadily", self.page.pk, PER_SECOND)
        self.emitter = self._start("emitter", *emit)
        fold = ("django", "fold_trackable_messages", "--watch", 0.2, "--verbosity", 0)
        self.folder = self._start("folder", *fold)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for child in (self.emitter, self.folder):
            with child:
                child.kill()

    def _start(self, name: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", *map(str, arguments)]
        with self._log(name).open("w") as log:
            return subprocess.Popen(
                command, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def said_by(self, name: str) -> list[str]:
        """Return the lines that the emitter, or the folder, has logged."""
        return self._log(name).read_text().splitlines()

    def emitted(self) -> int:
        """Return how many emits were acknowledged, as far as the journal's tally has it."""
        return tally.read(self.journal)["emitted"]

    def size_bytes(self) -> int:
        return segments.size_bytes(self.journal)

    def counted(self) -> int:
        found = PageData.objects.filter(object_id=self.page.pk).aggregate(views=Sum("views"))
        return found["views"] or 0

    def is_settled(self) -> bool:
        return segments.count(self.journal, OPEN, SEALED, SHIPPED) == 0

    def end_emitting(self) -> tuple[int, int]:
        """End it in good order; return how many emits were acknowledged, and refused."""
        self.emitter.terminate()
        told = told_by(self.emitter)
        return told["acknowledged"], told["refused"]

    def end_folding(self) -> int:
        """End it in good order; return its exit status."""
        self.folder.terminate()
        return self.folder.wait(END_SECONDS)
