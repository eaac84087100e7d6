"""One run: starts everything, carries out the plan, lets it come to rest, and compares."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from trackable_tests.faults import records, rows
from trackable_tests.faults.compare import Comparison, compare
from trackable_tests.faults.injector import (
    BrokerInjector,
    Clock,
    CopyTooOld,
    DatabaseInjector,
    Injector,
)
from trackable_tests.faults.keeper import ChildFailed, Keeper
from trackable_tests.faults.pairings import BROKER, DATABASE, FOLDER, PRODUCER
from trackable_tests.faults.plan import Plan
from trackable_tests.faults.sabotage import SABOTAGES, VARIABLE
from trackable_tests.faults.world import World

TICK_SECONDS: Final = 0.02
#: folds go on for so long after the journal is empty: what comes twice must not count twice
DRAIN_SECONDS: Final = 0.5
#: a plan may take so many times its seconds until its kills are done, and some more
OVERTIME: Final = 3.0
OVERTIME_SECONDS: Final = 30.0
#: a copy must be so much younger than the retention: clocks are read one after another
MARGIN_SECONDS: Final = 1.0


class NotSettled(Exception):
    """The journal was not empty in time: something is neither folded nor sent again."""


@dataclass(slots=True)
class Result:
    """What came of a run."""

    plan: Plan
    sabotage: str | None
    seconds: float = 0.0
    kills: int = 0
    #: the faults that there were, by kind
    faults: Counter[str] = field(default_factory=Counter)
    #: what trackable did about them
    repairs: dict[str, int] = field(default_factory=dict)
    recorded: records.Recorded = field(default_factory=records.Recorded)
    comparison: Comparison = field(default_factory=lambda: Comparison(0, 0, ()))
    #: what is wrong beside the differences between rows
    failures: list[str] = field(default_factory=list)
    #: where journal, records and logs are kept
    folder: Path | None = None

    @property
    def is_exact(self) -> bool:
        return not self.comparison.differences and not self.failures


def run(plan: Plan, sabotage: str | None = None, *, patience: float, keep: bool = False) -> Result:
    """Carry out a plan; keep the folder of the run if asked, or if it was not exact.

    ``patience`` is the seconds that it may take to come to rest. Raises ``ProgramMissing`` for
    a server that is not installed.
    """
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="trackable-faults-"))
    result = Result(plan, sabotage)
    try:
        with ExitStack() as stack:
            settings = SABOTAGES[sabotage].settings if sabotage else {}
            world = World(plan, folder, stack, settings)
            Run(plan, world, result, stack).carry_out(patience)
        keep |= not (result.is_exact or sabotage)
    except Exception as error:
        keep = True
        error.add_note(f"What the run has left is in {folder}.")
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    result.folder = folder if keep else None
    result.seconds = time.monotonic() - begun
    return result


class Run:
    """Carries out one plan; the stack ends whatever still runs."""

    def __init__(self, plan: Plan, world: World, result: Result, stack: ExitStack) -> None:
        self.plan = plan
        self.world = world
        self.result = result
        self.stack = stack

    def carry_out(self, patience: float) -> None:
        rows.use(self.world.configuration(through_proxies=False))
        rows.prepare(with_log=bool(self.plan.seed % 2))
        self.stack.callback(rows.close)
        keeper = Keeper(self.plan, self.world.processes, self._environment())
        self.stack.callback(keeper.close)
        try:
            keeper.wait_until_ready()
            clock = Clock(keeper.slowness)
            with self._injectors(clock) as injectors:
                self._go(keeper, injectors, clock)
            # What is lost again waits for half its age.
            self._come_to_rest(keeper, patience + clock() * clock.slowness / 2)
            self._compare()
        except (ChildFailed, CopyTooOld) as failure:
            self.result.failures.append(f"{failure} (nothing was compared)")
        except NotSettled as failure:
            self.result.failures.append(str(failure))
            self._compare()
        finally:
            self.result.kills += keeper.killed.total()
            self.result.faults.update(keeper.struck + keeper.fired + self.world.cut())

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "TRACKABLE_FAULTS": self.world.configuration(through_proxies=True),
            VARIABLE: self.result.sabotage or "",
        }

    @contextmanager
    def _injectors(self, clock: Clock) -> Iterator[list[Injector]]:
        world, plan = self.world, self.plan
        oldest = world.retention_seconds - MARGIN_SECONDS
        of_broker = (world.broker, world.proxies.get(BROKER), plan.of(BROKER), clock)
        of_database = (world.database, world.proxies.get(DATABASE), plan.of(DATABASE), clock)
        found = [
            BrokerInjector(*of_broker),
            DatabaseInjector(*of_database, oldest_copy_seconds=oldest),
        ]
        for injector in found:
            injector.start()
        try:
            yield found
        finally:
            for injector in found:
                injector.stop()
                self.result.faults.update(injector.done)
                self.result.kills += injector.kills

    def _go(self, keeper: Keeper, injectors: list[Injector], clock: Clock) -> None:
        """Carry out the plan, and go on until its kills are done, if that takes not too long."""
        plan = self.plan
        waiting = plan.of(PRODUCER, FOLDER)
        latest = plan.seconds * OVERTIME + OVERTIME_SECONDS
        while (elapsed := clock()) < latest:
            keeper.tick(elapsed / plan.seconds)
            if waiting and elapsed >= waiting[0].at:
                keeper.strike(waiting.pop(0))
            kills = keeper.killed.total() + sum(injector.kills for injector in injectors)
            is_busy = any(injector.is_alive() for injector in injectors)
            if elapsed >= plan.seconds and kills >= plan.kills and not is_busy:
                return
            time.sleep(TICK_SECONDS)
        raise ChildFailed(f"Only {kills} of {plan.kills} kills were done")

    def _come_to_rest(self, keeper: Keeper, patience: float) -> None:
        """Let what is left be folded, with no faults any more, and end the processes."""
        keeper.calm()
        keeper.end(PRODUCER)
        deadline = time.monotonic() + patience
        while left := self.world.segments():
            if time.monotonic() > deadline:
                raise NotSettled(
                    f"After {patience:.0f} s at rest the journal still has {len(left)} segments,"
                    f" as {left[0]}"
                )
            self._wait(keeper, TICK_SECONDS)
        self._wait(keeper, DRAIN_SECONDS)
        keeper.end(FOLDER)

    @staticmethod
    def _wait(keeper: Keeper, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            keeper.tick()
            time.sleep(TICK_SECONDS)

    def _compare(self) -> None:
        result = self.result
        result.repairs = rows.repairs(self.world.journal)
        result.recorded = records.read(self.world.processes)
        result.comparison = compare(result.recorded, rows.counted())
        result.failures += rows.complaints(result.recorded.refused)
