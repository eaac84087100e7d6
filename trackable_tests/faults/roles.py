"""What the processes of a run do: emit and record what was acknowledged, or fold."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import Error, close_old_connections, connections

from trackable import flusher, shipping
from trackable.exceptions import BrokerUnavailable
from trackable.folding import ledger
from trackable.folding.collect import collect
from trackable.messaging import process_messages, send_increment_message
from trackable_tests.faults import points, traffic
from trackable_tests.faults.deaths import die_with
from trackable_tests.faults.records import SUFFIX, Recorder
from trackable_tests.testapp.models import Page

logger = logging.getLogger("trackable.faults")

#: emits between two rests of a thread
BURST = 5
REST_SECONDS = 0.04
FORK_EVERY_SECONDS = (0.2, 1.0)
FORK_LIVES_SECONDS = 0.3
AWAY = (BrokerUnavailable, Error, OSError)


@dataclass(frozen=True, slots=True)
class Request:
    """What a process is to be: its role, its name, and its life's number under that name."""

    role: str
    name: str
    life: int
    seed: int
    folder: str
    arms: list[list[Any]] = field(default_factory=list)

    def path(self, suffix: str) -> Path:
        return Path(self.folder) / f"{self.name}{suffix}"


def play(request: Request) -> None:
    """Play a role until a signal ends it."""
    dice = random.Random(f"{request.seed} {request.name} {request.life}")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    vary_settings(dice)
    tell = teller(request)
    for name, occurrence, action in request.arms:
        points.arm(name, occurrence, action, tell)
    if request.role == "producer":
        Producer(request, dice, stopping).run()
    else:
        fold(dice, stopping, tell)


def teller(request: Request) -> Callable[[str], None]:
    """Return what writes a line with the process's id, in one write, into the log of events."""
    fd = os.open(request.path(".events"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def tell(line: str) -> None:
        os.write(fd, f"{os.getpid()} {line}\n".encode())

    return tell


def hurry() -> None:
    """Make what is done every so many seconds frequent enough for a short run."""
    constants: list[tuple[Any, str, float]] = [
        (flusher, "ADOPT_INTERVAL_SECONDS", 0.3),
        (flusher, "SETTLE_INTERVAL_SECONDS", 0.5),
        (shipping, "OVERDUE_SECONDS", 1.0),
        (shipping, "LONGEST_PAUSE_SECONDS", 1.0),
        (ledger, "PRUNING_INTERVAL_SECONDS", 0.5),
    ]
    for module, name, seconds in constants:
        assert hasattr(module, name), name
        setattr(module, name, seconds)


def vary_settings(dice: random.Random) -> None:
    """Give some processes small segments, and small groups to fold."""
    settings.TRACKABLE_JOURNAL_SEGMENT_BYTES = dice.choice([4_000, 4 << 20, 4 << 20])
    settings.TRACKABLE_FOLD_MAX_COUNTERS = dice.choice([100, 1_000, 50_000])


class Producer:
    """Emits in one or two threads, and may fork in the middle of it."""

    def __init__(self, request: Request, dice: random.Random, stopping: threading.Event) -> None:
        self.request = request
        self.dice = dice
        self.stopping = stopping
        self.failure: BaseException | None = None
        self.forks = 0

    def run(self) -> None:
        threads = [
            threading.Thread(target=self._emit_in_thread, args=(f"t{number}",))
            for number in range(self.dice.choice([1, 1, 2]))
        ]
        for thread in threads:
            thread.start()
        forks = self.dice.random() < 0.5
        while not self.stopping.wait(self.dice.uniform(*FORK_EVERY_SECONDS)):
            self._reap()
            if forks:
                self._fork()
        for thread in threads:
            thread.join()
        self._reap()
        if self.failure is not None:
            raise self.failure

    def _emit_in_thread(self, name: str) -> None:
        try:
            self._emit(name, self.stopping.is_set)
        except BaseException as failure:
            self.failure = failure
            self.stopping.set()

    def _emit(self, name: str, is_over: Callable[[], bool]) -> None:
        life = self.request.life
        recorder = Recorder(self.request.path(f"-{life}-{os.getpid()}-{name}{SUFFIX}"))
        dice = random.Random(f"{self.request.seed} {self.request.name} {life} {name}")
        for number, event in enumerate(traffic.events(dice), start=1):
            if is_over():
                return
            recorder.attempt(event)
            recorder.answer(emit(event))
            if number % BURST == 0:
                time.sleep(REST_SECONDS)

    def _fork(self) -> None:
        self.forks += 1
        ending = self.dice.choice(["exit", "vanish", "die"])
        parent = os.getpid()
        if os.fork():
            return
        die_with(parent)
        end = time.monotonic() + FORK_LIVES_SECONDS
        try:
            self._emit(f"f{self.forks}", lambda: time.monotonic() > end)
        except BaseException:
            logger.exception("A fork has failed")
            os._exit(1)
        if ending == "vanish":
            os._exit(0)
        if ending == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(0)

    def _reap(self) -> None:
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[1] not in (0, signal.SIGKILL):
                    raise RuntimeError(f"a fork has ended with status {found[1]}: see the log")
        except ChildProcessError:
            pass


def emit(event: traffic.Event) -> bool:
    counter = event.counter
    data_cls: Any = apps.get_model(counter.data_class)
    options = {"value": event.value, "when": event.when}
    return send_increment_message(None, Page(pk=counter.page), counter.field, data_cls, options)


def fold(dice: random.Random, stopping: threading.Event, tell: Callable[[str], None]) -> None:
    """Fold again and again, as ``fold_trackable_messages --watch`` and tasks do."""
    while not stopping.is_set():
        close_old_connections()
        try:
            folded = fold_once(dice)
        except AWAY as error:
            logger.warning("Tried again: %s: %s", type(error).__name__, error)
            connections.close_all()
            stopping.wait(dice.uniform(0.1, 0.3))
        else:
            tell(f"folded {folded}")
            stopping.wait(dice.uniform(0.02, 0.15))
    connections.close_all()


def fold_once(dice: random.Random) -> int:
    """Fold everything, or one class, or some batches; return the number of batches."""
    match dice.randrange(9):
        case 0 | 1 | 2:
            return process_messages(max_messages=dice.randint(1, 10))
        case 3:
            label, _ = dice.choice(list(traffic.COUNTERS))
            data_cls: Any = apps.get_model(label)
            return process_messages(data_cls)
        case 4:
            return collect(wait=True).batches
    return collect(wait=False).batches


def import_transport() -> None:
    """Import what talks to the broker once, and not in every process."""
    if settings.TRACKABLE_BROKER_URL:
        from kombu import Connection, Producer, Queue  # noqa: F401

        Connection(settings.TRACKABLE_BROKER_URL).get_transport_cls()
