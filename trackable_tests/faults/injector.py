"""The injectors: carry out the faults of a server, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from trackable_tests.faults.plan import Fault
from trackable_tests.faults.servers import Broker, Database

#: kinds in which a process is killed with SIGKILL
KILLING: Final = {"kill", "restart-empty"}
#: how long a cut waits for a connection, and how often it looks for one
CUT_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.01


class Clock:
    """The time of a plan, in its seconds; they take longer on a machine that is busy."""

    def __init__(self, slowness: float) -> None:
        self.slowness = slowness
        self._begun = time.monotonic()

    def __call__(self) -> float:
        return (time.monotonic() - self._begun) / self.slowness


class CopyTooOld(RuntimeError):
    """A copy of the database was older than trackable can make good: the run proves nothing."""


class Injector(threading.Thread):
    """Does to one server what the plan says."""

    def __init__(self, server: Any, proxy: Any, faults: Sequence[Fault], clock: Clock) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.proxy = proxy
        self.faults = faults
        self.clock = clock
        self.done: Counter[str] = Counter()
        self.kills = 0
        self.failure: BaseException | None = None
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            for fault in self.faults:
                if self._stopping.wait(max(0.0, fault.at - self.clock()) * self.clock.slowness):
                    return
                self._carry_out(fault)
        except BaseException as failure:
            self.failure = failure

    def stop(self) -> None:
        """Begin no further fault, end the one at hand, and raise what went wrong."""
        self._stopping.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def _carry_out(self, fault: Fault) -> None:
        action: Callable[[Fault], None] = getattr(self, f"do_{fault.kind.replace('-', '_')}")
        action(fault)
        self.done[f"{fault.target} {fault.kind}"] += 1
        self.kills += fault.kind in KILLING and self.server.can_be_killed

    def do_kill(self, fault: Fault) -> None:
        self.server.kill()
        time.sleep(fault.seconds)
        self.server.start()

    def do_freeze(self, fault: Fault) -> None:
        self.server.freeze()
        time.sleep(fault.seconds)
        self.server.thaw()

    def do_cut(self, fault: Fault) -> None:
        """Cut what is connected, once anything is; after a restart that takes a moment."""
        end = time.monotonic() + CUT_SECONDS * self.clock.slowness
        while not self.proxy.cut() and time.monotonic() < end:
            time.sleep(PAUSE_SECONDS)

    def do_cut_after_bytes(self, fault: Fault) -> None:
        self.proxy.cut_after_bytes(fault.number)

    def do_stall(self, fault: Fault) -> None:
        self.proxy.stall(fault.seconds)


class BrokerInjector(Injector):
    server: Broker

    def do_flush(self, fault: Fault) -> None:
        self.server.flush()

    def do_restart_empty(self, fault: Fault) -> None:
        self.server.restart_empty()


class DatabaseInjector(Injector):
    server: Database

    def __init__(self, *args: Any, oldest_copy_seconds: float) -> None:
        super().__init__(*args)
        self.oldest_copy_seconds = oldest_copy_seconds

    def do_cut_before_commit(self, fault: Fault) -> None:
        self.proxy.cut_at_commit(arrived=False)

    def do_cut_after_commit(self, fault: Fault) -> None:
        self.proxy.cut_at_commit(arrived=True)

    def do_fail_over(self, fault: Fault) -> None:
        """Lose the last seconds: what a replica that lags by them has not seen."""
        self.server.snapshot()
        time.sleep(fault.seconds)
        age_seconds = self.server.fail_over()
        if age_seconds >= self.oldest_copy_seconds:
            raise CopyTooOld(f"The copy was {age_seconds:.1f} s old: the machine is too slow.")
