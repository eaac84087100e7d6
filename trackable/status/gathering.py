"""Gathering: asks all parts at once, and waits for none of them for long."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from threading import Thread
from typing import Any, Final

from django.db import connections

from trackable import broker
from trackable.folding import ledger
from trackable.management.printing import printable
from trackable.status.databases import read_database
from trackable.status.figures import Failed, Status
from trackable.status.journal import read_journal, read_machine
from trackable.status.queues import read_broker

#: Monitors give up after some ten seconds.
PATIENCE_SECONDS: Final = 5.0
MAX_ERROR_LENGTH: Final = 300

Read = Callable[[], Any]

#: process and part -> its answer, while that is awaited
_awaited: dict[tuple[int, str], Future[Any]] = {}


def gather(patience_seconds: float = PATIENCE_SECONDS) -> Status:
    """Return the status of this moment; a part that fails or does not answer is ``Failed``."""
    answers = {"journal": _ask("journal", read_journal), "machine": _ask("machine", read_machine)}
    if broker.is_configured():
        answers["broker"] = _ask("broker", read_broker)
    parts = {alias: f"database {alias}" for alias in ledger.aliases()}
    for alias, part in parts.items():
        answers[part] = _ask(part, partial(read_database, alias), here=_is_seen_only_here(alias))
    wait(answers.values(), patience_seconds)
    late = Failed(f"no answer within {patience_seconds:g} s")
    found = {part: each.result() if each.done() else late for part, each in answers.items()}
    return Status(
        journal=found["journal"],
        machine=found["machine"],
        broker=found.get("broker"),
        databases={alias: found[part] for alias, part in parts.items()},
    )


def _is_seen_only_here(alias: str) -> bool:
    """Tell whether another thread would see another state of a database than this one."""
    connection = connections[alias]
    is_in_memory = getattr(connection, "is_in_memory_db", lambda: False)
    return connection.in_atomic_block or is_in_memory()


def _ask(part: str, read: Read, *, here: bool = False) -> Future[Any]:
    """Ask a part in a thread, as nothing can stop a database or a disk that hangs.

    While one hangs it is not asked again: all who want to know await the same answer.
    """
    answer: Future[Any] = Future()
    if here:
        answer.set_result(_try(read))
        return answer
    key = (os.getpid(), part)
    awaited = _awaited.setdefault(key, answer)
    if awaited is answer:
        try:
            Thread(target=_answer, args=(key, read), daemon=True).start()
        except RuntimeError as error:
            _awaited.pop(key).set_result(_failed(error))
    return awaited


def _answer(key: tuple[int, str], read: Read) -> None:
    found = _try(partial(_read_and_close, read))
    # First, so that who asks from now on gets an answer of their own.
    _awaited.pop(key).set_result(found)


def _read_and_close(read: Read) -> Any:
    try:
        return read()
    finally:
        connections.close_all()


def _try(read: Read) -> Any:
    try:
        return read()
    except Exception as error:
        # Of whatever kind: the other parts are the more wanted.
        return _failed(error)


def _failed(error: Exception) -> Failed:
    text = " ".join(str(error).split()) or type(error).__name__
    return Failed(printable(text)[:MAX_ERROR_LENGTH])
