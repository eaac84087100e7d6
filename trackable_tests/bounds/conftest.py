"""Fixtures of the tests at the bounds: a clock, a folder of one's own, folds that are watched."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connections

from trackable.folding import engine
from trackable.folding.engine import FoldReport


@pytest.fixture
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


@pytest.fixture
def directory(settings: Any, own_temporary_folder: None) -> Path:
    """The journal's; what would go beside it goes into a folder of the test's own."""
    return Path(settings.TRACKABLE_JOURNAL_DIR)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the monotonic clock says."""
    moment = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def mails(admins: None, mails_at_once: None) -> list[Any]:
    return mail.outbox


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The attempts that folds make, numbered; there are no pauses between them."""
    made: list[int] = []
    once = engine._fold_once

    def counted(*args: Any) -> FoldReport:
        made.append(len(made) + 1)
        return once(*args)

    monkeypatch.setattr(engine, "_fold_once", counted)
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.01)
    return made


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., Future[Any]]]:
    """Do something in a thread that has a connection of its own, one thing after the other."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit
        pool.submit(connections.close_all).result()
