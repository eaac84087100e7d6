"""The keeper: starts the processes of a run, starts again what died, and wakes what is stopped."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trackable_tests.faults.arming import Arms
from trackable_tests.faults.pairings import FOLDER, PRODUCER, STOP_SECONDS
from trackable_tests.faults.plan import Arm, Fault, Plan

ROLES: Final = {PRODUCER: 3, FOLDER: 3}
RESTART_SECONDS: Final = (0.0, 0.2)
READY_SECONDS: Final = 60
#: a plan is stretched to so many times its seconds at most
MOST_SLOWNESS: Final = 3.0
END_SECONDS: Final = 60
#: kills by which fault points may be ahead of the plan
AHEAD: Final = 3
BEING_BORN: Final = float("inf")
#: pauses between the kills that are still missing when the plan's time is over once, and twice
HELP_EVERY_SECONDS: Final = (1.0, 0.1)
ROOT: Final = Path(__file__).resolve().parent.parent.parent


class ChildFailed(Exception):
    """A process of the run has ended by itself, with an error: its log says why."""


@dataclass(slots=True)
class Slot:
    """The place of one process, which many have after another."""

    role: str
    name: str
    life: int = 0
    pid: int | None = None
    arms: list[Arm] = field(default_factory=list)
    start_at: float = 0.0
    #: when to wake it, if it is stopped
    wake_at: float | None = None
    #: how far its log of events is read
    events_read: int = 0

    @property
    def is_taken(self) -> bool:
        """Tell whether it has a process, or will have one that was asked for."""
        return self.pid is not None or self.start_at == BEING_BORN


class Keeper:
    """Works in ``tick``, which is to be called many times a second."""

    def __init__(self, plan: Plan, folder: Path, environment: dict[str, str]) -> None:
        self.plan = plan
        self.folder = folder
        #: kills by role
        self.killed: Counter[str] = Counter()
        #: faults from outside, and fault points that have struck
        self.struck: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self._dice = random.Random(plan.seed)
        self._arms = {role: Arms(plan, role) for role in ROLES}
        self._slots = [
            Slot(role, f"{role}-{n}") for role, number in ROLES.items() for n in range(number)
        ]
        self._kept = set(ROLES)
        self._is_armed = True
        self._helped_at = 0.0
        self._output = b""
        self._stop_seconds: dict[int, float] = {}
        with (folder / "nursery.log").open("wb") as log:
            self._nursery = subprocess.Popen(
                [sys.executable, "-m", "trackable_tests.faults.nursery", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd=ROOT,
                start_new_session=True,  # an interrupt from the keyboard is for the harness alone
            )
        os.set_blocking(self._nursery.stdout.fileno(), False)  # type: ignore[union-attr]
        self._begun = time.monotonic()
        #: how much slower than its processor this machine is, because it does other things too
        self.slowness = 0.0

    def wait_until_ready(self) -> None:
        """Wait until processes can be started, and learn how slow the machine is."""
        while not self.slowness:
            self._listen()
            if time.monotonic() > self._begun + READY_SECONDS:
                raise ChildFailed(f"The nursery was not ready within {READY_SECONDS} s")
            time.sleep(0.01)

    # what the run asks for

    def tick(self, share: float = 0.0) -> None:
        """Take notice and act; ``share`` of the plan's time is over."""
        self._listen()
        now = time.monotonic()
        due = self.plan.kills * min(share, 1.0)
        for slot in self._slots:
            if slot.pid is None and slot.role in self._kept and now >= slot.start_at:
                self._start(slot, is_armed=self._may_die(slot.role, due))
            elif slot.wake_at is not None and now >= slot.wake_at:
                self._signal(slot, signal.SIGCONT)
                slot.wake_at = None
        pause_seconds = HELP_EVERY_SECONDS[share >= 2] * self.slowness
        if self._is_armed and share >= 1 and now - self._helped_at > pause_seconds:
            self._helped_at = now
            role = self._dice.choice(list(ROLES))
            self.strike(Fault(0, role, "kill", 0, self._dice.randrange(1000)))

    def strike(self, fault: Fault) -> None:
        """Kill or stop a process from outside, if there is one of that role."""
        victims = [s for s in self._slots if s.role == fault.target and s.pid is not None]
        if not victims:
            return
        victim = victims[fault.number % len(victims)]
        if fault.kind == "kill":
            self._signal(victim, signal.SIGKILL)
        else:
            self._stop_seconds[victim.pid or 0] = fault.seconds
            self._signal(victim, signal.SIGSTOP)
        self.struck[f"{fault.target} {fault.kind}"] += 1

    def calm(self) -> None:
        """Arm nothing any more, and replace the folders that are armed."""
        self._is_armed = False
        for slot in self._slots:
            if slot.role == FOLDER and slot.arms:
                self._signal(slot, signal.SIGKILL)

    def end(self, role: str) -> None:
        """Have the processes of a role end in good order, and wait until they have."""
        self._kept.discard(role)
        slots = [slot for slot in self._slots if slot.role == role]
        for slot in slots:
            self._signal(slot, signal.SIGTERM)
        deadline = time.monotonic() + END_SECONDS
        while any(slot.is_taken for slot in slots):
            self.tick()
            if time.monotonic() > deadline:
                names = [slot.name for slot in slots if slot.is_taken]
                raise ChildFailed(f"{', '.join(names)} did not end within {END_SECONDS} s")
            time.sleep(0.02)

    def close(self) -> None:
        """End everything at once."""
        self._nursery.stdin.close()  # type: ignore[union-attr]
        try:
            self._nursery.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._nursery.kill()
            self._nursery.wait()
        self._nursery.stdout.close()  # type: ignore[union-attr]

    # processes

    def _may_die(self, role: str, due: float) -> bool:
        """Tell whether to arm a process; each role has deaths in proportion to its points."""
        points = {role: len(self.plan.points_of(role)) for role in ROLES}
        own_share = points[role] / (sum(points.values()) or 1)
        return self._is_armed and self.killed[role] < due * own_share + AHEAD

    def _start(self, slot: Slot, *, is_armed: bool) -> None:
        slot.life += 1
        slot.arms = self._arms[slot.role].take() if is_armed else []
        slot.start_at = BEING_BORN
        request = {
            "role": slot.role,
            "name": slot.name,
            "life": slot.life,
            "seed": self.plan.seed,
            "folder": str(self.folder),
            "arms": [[arm.point, arm.occurrence, arm.action] for arm in slot.arms],
        }
        self._command("start", request)

    def _signal(self, slot: Slot, number: int) -> None:
        if slot.pid is not None:
            self._command("signal", slot.pid, number)

    def _command(self, *command: object) -> None:
        try:
            os.write(self._nursery.stdin.fileno(), json.dumps(command).encode() + b"\n")  # type: ignore[union-attr]
        except BrokenPipeError:
            raise self._nursery_failed() from None

    # what they do

    def _listen(self) -> None:
        try:
            content = os.read(self._nursery.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
        except BlockingIOError:
            return
        if not content:
            raise self._nursery_failed()
        *lines, self._output = (self._output + content).split(b"\n")
        for line in lines:
            self._take(*json.loads(line))

    def _take(self, event: str, pid: int, detail: Any = None) -> None:
        now = time.monotonic()
        if event == "ready":
            self.slowness = min(max(1.0, (now - self._begun) / detail), MOST_SLOWNESS)
        if event == "born":
            [slot] = [slot for slot in self._slots if slot.name == detail]
            slot.pid = pid
            if slot.role not in self._kept:
                self._signal(slot, signal.SIGTERM)
        for slot in self._slots:
            if slot.pid != pid:
                continue
            if event == "stopped":
                seconds = self._stop_seconds.pop(pid, self._dice.uniform(*STOP_SECONDS))
                slot.wake_at = now + seconds
            elif event == "ended":
                self._bury(slot, detail)
                slot.start_at = now + self._dice.uniform(*RESTART_SECONDS)

    def _bury(self, slot: Slot, status: int) -> None:
        fired = list(self._fired(slot))
        self.fired.update(f"{point} {action}" for point, action in fired)
        self._arms[slot.role].give_back(slot.arms, {point for point, _ in fired})
        slot.pid = slot.wake_at = None
        if status == -signal.SIGKILL:
            self.killed[slot.role] += 1
        elif status not in (0, -signal.SIGTERM):
            log = self.folder / f"{slot.name}.log"
            raise ChildFailed(f"{slot.name} has ended with status {status}: see {log}")

    def _fired(self, slot: Slot) -> Iterator[tuple[str, str]]:
        """Yield the fault points that struck since this was last asked."""
        path = self.folder / f"{slot.name}.events"
        if not path.exists():
            return
        with path.open() as events:
            events.seek(slot.events_read)
            for line in events:
                match line.split():
                    case [_, "fired", point, action]:
                        yield point, action
            slot.events_read = events.tell()

    def _nursery_failed(self) -> ChildFailed:
        return ChildFailed(f"The nursery has ended: see {self.folder / 'nursery.log'}")
