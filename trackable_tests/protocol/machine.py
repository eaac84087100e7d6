"""The machine: what can happen to a count, in any order, and what must hold all the while."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

from django.conf import settings
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trackable import broker, notices, settling
from trackable.broker import Claim
from trackable.exceptions import BrokerUnavailable
from trackable.folding import collect, ledger
from trackable.journal import segments
from trackable.journal.writer import Writer
from trackable.shipping import Shipper
from trackable_tests.protocol import rows
from trackable_tests.protocol.clock import Clock
from trackable_tests.protocol.fake_broker import FakeBroker, Server
from trackable_tests.protocol.rows import DAYS, TOTALS, Counted, Increment, Quarantined
from trackable_tests.protocol.steps import Steps

MACHINES: Final = 2
PROCESSES: Final = 4
FOLDERS: Final = 2
LABELS: Final = (TOTALS, DAYS)

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
HORIZON: Final = 7 * DAY
RETENTION: Final = 600.0
RESEND_AFTER: Final = HOUR
#: Two clocks differ by twice this at most, which is less than the ledger's margin.
SKEW: Final = 10 * HOUR
PAUSES: Final = (1.0, MINUTE, RETENTION + 1, HOUR + 1, DAY, 3 * DAY, HORIZON + HOUR, 9 * DAY)
MAX_ROUNDS: Final = 20

counters = st.one_of(
    st.tuples(st.just((TOTALS, "views")), st.integers(1, 3)),
    st.tuples(st.just((DAYS, "score")), st.integers(-3, 3).filter(bool)),
    st.tuples(st.just((DAYS, "revenue")), st.sampled_from([Decimal("-0.25"), Decimal("1.10")])),
)
labels = st.sampled_from(LABELS)
machines = st.integers(0, MACHINES - 1)
processes = st.integers(0, PROCESSES - 1)
folders = st.integers(0, FOLDERS - 1)
#: at which step a process dies, if at all
deaths = st.one_of(st.none(), st.integers(0, 12))
positions = st.integers(0, 7)


class Chance:
    """Stands for ``secrets``: the same order of events has the same ids, so it can be repeated."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def token_hex(self, size: int) -> str:
        return f"{next(self._numbers):0{2 * size}x}"


class Protocol(RuleBasedStateMachine):
    """Machines with journals, a broker, folders and a database, and all that befalls them."""

    broker_url: str | None = "memory://"

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.server, self.steps = Clock(), Server(), Steps()
        self.root = Path(tempfile.mkdtemp(prefix="trackable-protocol-"))
        self.writers: dict[int, Writer] = {}
        self.held: dict[int, list[Claim]] = {number: [] for number in range(FOLDERS)}
        self.connections = [FakeBroker(self.server) for _ in range(FOLDERS)]
        self.skews = [0.0] * MACHINES
        self.increments: list[Increment] = []
        #: those whose process died before the emit returned: counted once or not at all
        self.unacknowledged: set[int] = set()
        #: when the segment of a process was opened: that is the age of everything in it
        self.opened_at: dict[int, float] = {}
        #: when a row was first seen to hold an increment
        self.counted_at: dict[int, float] = {}
        self.snapshots: list[tuple[float, rows.Snapshot]] = []
        self.has_failed_over = False
        self._patches = ExitStack()
        self._set_up()

    def _set_up(self) -> None:
        enter = self._patches.enter_context
        self._patches.callback(shutil.rmtree, self.root)
        enter(
            override_settings(
                TRACKABLE_BROKER_URL=self.broker_url,
                TRACKABLE_JOURNAL_DIR=str(self.root),
                TRACKABLE_JOURNAL_FSYNC="off",
                TRACKABLE_JOURNAL_RETENTION=RETENTION,
                TRACKABLE_LEDGER_HORIZON=HORIZON,
                TRACKABLE_RESEND_AFTER=RESEND_AFTER,
            )
        )
        for owner in (broker, collect):
            enter(mock.patch.object(owner, "Broker", partial(FakeBroker, self.server)))
        enter(mock.patch.object(segments, "secrets", Chance()))
        enter(self.clock.ruling())
        enter(self.steps.counted())
        notices.forget()
        rows.clear()
        logging.disable()
        self._patches.callback(logging.disable, logging.NOTSET)

    @contextmanager
    def _on(self, machine: int) -> Iterator[Path]:
        """Be a process of one of the machines."""
        directory = self.root / str(machine)
        settings.TRACKABLE_JOURNAL_DIR = str(directory)
        self.clock.skew_seconds = self.skews[machine]
        yield directory

    # emitting

    @initialize(
        skews=st.lists(st.floats(-SKEW / 2, SKEW / 2), min_size=MACHINES + 1, max_size=MACHINES + 1)
    )
    def set_clocks(self, skews: list[float]) -> None:
        *self.skews, self.clock.database_skew_seconds = skews

    @rule(process=processes, page=st.integers(1, 2), counter=counters, times=st.integers(1, 2))
    def emit(self, process: int, page: int, counter: Any, times: int) -> None:
        for _ in range(times):
            increment = self._increment(process, page, counter)
            writer = self._writer(process)
            with self._on(process % MACHINES):
                for line in increment.lines():
                    assert writer.append(increment.cell[0], line)

    @rule(process=processes, label=labels, length=st.integers(0, 90))
    def die_inside_an_emit(self, process: int, label: str, length: int) -> None:
        """Die having written a line, or a part of it: of a witness that has nobody with it."""
        increment = self._increment(process, 0, ((label, "views"), 0))
        self.unacknowledged.add(increment.number)
        writer = self._writer(process)
        if not writer.is_open:
            with self._on(process % MACHINES):
                writer._open()
        os.write(writer._fd, increment.lines()[0][:length])
        self._die(process)

    def _writer(self, process: int) -> Writer:
        writer = self.writers.get(process)
        if writer is None:
            with self._on(process % MACHINES) as directory:
                writer = self.writers[process] = Writer(directory)
        return writer

    def _increment(self, process: int, page: int, counter: Any) -> Increment:
        (label, field), amount = counter
        if process not in self.writers:
            self.opened_at[process] = self.clock.now
        with self._on(process % MACHINES):
            day = "" if label == TOTALS else self.clock.datetime().date().isoformat()
        cell = (label, page, day, field)
        increment = Increment(len(self.increments), cell, amount, self.opened_at[process])
        self.increments.append(increment)
        return increment

    @precondition(lambda self: self.writers)
    @rule(position=positions)
    def seal(self, position: int) -> None:
        process = self._living(position)
        with self._on(process % MACHINES):
            self.writers.pop(process).close()

    @precondition(lambda self: self.writers)
    @rule(position=positions)
    def die(self, position: int) -> None:
        self._die(self._living(position))

    def _living(self, position: int) -> int:
        living = sorted(self.writers)
        return living[position % len(living)]

    def _die(self, process: int) -> None:
        self.writers.pop(process).abandon()

    # shipping

    @precondition(lambda self: self.broker_url and self.increments)
    @rule(machine=machines, death=deaths)
    def ship(self, machine: int, death: int | None) -> None:
        with self._on(machine) as directory, self.steps.dying_after(death):
            shipper = Shipper(directory)
            try:
                segments.adopt(directory)
                shipper.ship()
            finally:
                shipper.close()

    @precondition(lambda self: self.increments)
    @rule(machine=machines, death=deaths)
    def settle(self, machine: int, death: int | None) -> None:
        with self._on(machine) as directory, self.steps.dying_after(death):
            settling.settle(directory, self.clock.time())

    @precondition(lambda self: self.snapshots)
    @rule(machine=machines, seconds=st.sampled_from(PAUSES))
    def replay(self, machine: int, seconds: float) -> None:
        """Have what is kept sent again, as an administrator may at any time."""
        with self._on(machine) as directory:
            settling.replay(directory, self.clock.time() - seconds)

    # the broker

    @precondition(lambda self: self.broker_url)
    @rule(is_away=st.booleans())
    def go_away_or_come_back(self, is_away: bool) -> None:
        self.server.is_away = is_away

    @precondition(lambda self: self._waiting())
    @rule(label=labels, position=positions)
    def duplicate(self, label: str, position: int) -> None:
        queue = self._queue(label)
        if queue:
            queue.append(queue[position % len(queue)])

    @precondition(lambda self: self._waiting())
    @rule(label=labels, position=positions, keeps_a_copy=st.booleans())
    def delay(self, label: str, position: int, keeps_a_copy: bool) -> None:
        queue = self._queue(label)
        if queue:
            message = queue[position % len(queue)]
            self.server.delayed.append((broker.queue_name(label), message))
            if not keeps_a_copy:
                queue.remove(message)

    @precondition(lambda self: self.server.delayed)
    @rule()
    def release(self) -> None:
        self.server.release()

    @precondition(lambda self: self._waiting())
    @rule(label=labels, order=st.randoms(use_true_random=False))
    def reorder(self, label: str, order: Any) -> None:
        order.shuffle(self._queue(label))

    @precondition(lambda self: self._waiting())
    @rule(label=labels, position=positions)
    def lose(self, label: str, position: int) -> None:
        queue = self._queue(label)
        if queue:
            queue.pop(position % len(queue))

    @precondition(lambda self: self._waiting())
    @rule()
    def empty(self) -> None:
        self.server.empty()

    def _queue(self, label: str) -> list[Any]:
        return self.server.queues[broker.queue_name(label)]

    def _waiting(self) -> bool:
        return any(self.server.queues.values())

    # folding

    @precondition(lambda self: self.increments)
    @rule(machine=machines, death=deaths)
    def fold(self, machine: int, death: int | None) -> None:
        self._keep_snapshot()
        with self._on(machine), self.steps.dying_after(death):
            try:
                collect.collect(wait=False)
            except BrokerUnavailable:
                assert self.server.is_away

    @precondition(lambda self: self._waiting() and not self.server.is_away)
    @rule(folder=folders, label=labels, number=st.integers(1, 3))
    def claim(self, folder: int, label: str, number: int) -> None:
        for _ in range(number):
            claim = self.connections[folder].claim(label)
            if claim is not None:
                self.held[folder].append(claim)

    @precondition(lambda self: any(self.held.values()))
    @rule(folder=folders)
    def deliver_again(self, folder: int) -> None:
        """Give a folder's claims to others: it was too slow, or its connection broke."""
        self.connections[folder].close()

    @precondition(lambda self: any(self.held.values()))
    @rule(folder=folders, death=deaths)
    def fold_what_is_held(self, folder: int, death: int | None) -> None:
        self._keep_snapshot()
        claims, self.held[folder] = self.held[folder], []
        with self._on(folder % MACHINES), self.steps.dying_after(death):
            collect._Collector(None, None).fold_all(iter(claims), None)
        self.connections[folder].close()

    # the database

    def _keep_snapshot(self) -> None:
        """Keep what a replica may still have: it lags by no more than the retention."""
        oldest = self.clock.now - RETENTION
        self.snapshots = [(at, state) for at, state in self.snapshots if at > oldest]
        self.snapshots.append((self.clock.now, rows.snapshot()))

    @precondition(lambda self: self.snapshots)
    @rule(position=positions)
    def fail_over(self, position: int) -> None:
        at, state = self.snapshots[position % len(self.snapshots)]
        if self.clock.now - at < RETENTION:
            rows.restore(state)
            self.has_failed_over = True
            self.snapshots = [kept for kept in self.snapshots if kept[0] <= at]

    @precondition(lambda self: self.snapshots)
    @rule()
    def prune(self) -> None:
        ledger.prune_all()

    # time

    @precondition(lambda self: self.increments)
    @rule(seconds=st.sampled_from(PAUSES))
    def wait(self, seconds: float) -> None:
        if seconds >= DAY and self.has_failed_over:
            self._look_after_the_fail_over()
        self.clock.sleep(seconds)

    def _look_after_the_fail_over(self) -> None:
        """Settle when the retention ends: a machine must do so before the horizon passes.

        Later nobody could tell what the ledger has lost from what it has forgotten.
        """
        self.clock.sleep(RETENTION + 1)
        for machine in range(MACHINES):
            self.settle(machine, None)
        self.has_failed_over = False

    # what must hold

    @invariant()
    def nothing_is_counted_twice_or_without_being_emitted(self) -> None:
        counted = Counted()
        times = {number: times for number, times in counted.times.items() if times}
        assert set(times.values()) <= {1}, f"increments were counted more than once: {times}"
        held = [self.increments[number] for number in times]
        assert counted.sums == rows.sums_of(held)
        self.counted_at = {n: self.counted_at.get(n, self.clock.now) for n in times}

    @invariant()
    def nothing_is_set_aside_but_for_its_age(self) -> None:
        quarantined = Quarantined()
        assert all(reason.startswith("older than the ledger") for reason in quarantined.reasons)
        for number in quarantined.times:
            increment = self.increments[number]
            assert self.clock.now - increment.at > HORIZON - SKEW
            counted_at = self.counted_at.get(number)
            if counted_at is not None:
                assert self.clock.now - counted_at > HORIZON, "the ledger has forgotten too early"

    def teardown(self) -> None:
        with self._patches:
            self._heal()
            self._settle_everything()
            self._compare()

    def _check(self) -> None:
        self.nothing_is_counted_twice_or_without_being_emitted()
        self.nothing_is_set_aside_but_for_its_age()

    def _heal(self) -> None:
        self.server.is_away = False
        self.server.release()
        for connection in self.connections:
            connection.close()
        for process in list(self.writers):
            self._die(process)

    def _settle_everything(self) -> None:
        """Go on as a site does, ever longer, until no journal has anything left."""
        for attempt in range(MAX_ROUNDS):
            for machine in range(MACHINES):
                self.fold(machine, None)
            self._check()
            if not segments.listing(self.root / "0") + segments.listing(self.root / "1"):
                return
            self.clock.sleep(RESEND_AFTER * 2.0 ** (attempt // 2) + 1)
        raise AssertionError("the journals are never empty")

    def _compare(self) -> None:
        """Every increment is in its row or, past the horizon, in the quarantine."""
        counted, quarantined = Counted(), Quarantined()
        found = counted.times.keys() | quarantined.times.keys() | self.unacknowledged
        lost = [each for each in self.increments if each.number not in found]
        assert not lost, f"increments were lost: {lost}"
        set_aside = [self.increments[number] for number in quarantined.times]
        assert rows.nonzero(quarantined.sums) == rows.sums_of(set_aside)


class ProtocolWithoutBroker(Protocol):
    """Folders read the journals of their own machines."""

    broker_url = None
