"""Servers that are processes: they can be killed, frozen and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path

from trackable_tests.faults.servers import guard
from trackable_tests.faults.servers.base import Server, free_port

START_SECONDS = 60
KILL_SECONDS = 30
PROBE_SECONDS = 5
PAUSE_SECONDS = 0.02
TAIL_BYTES = 2000


class ProcessServer(Server, ABC):
    """A server that runs below a guard, which also ends it if the harness is killed.

    A fork of the harness that does not exec would keep it alive: it holds the guard's pipe too.
    """

    can_be_killed = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.address = ("127.0.0.1", free_port())
        self.frozen = False
        self._guard: subprocess.Popen[bytes] | None = None

    # what differs

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs it in the foreground."""

    @abstractmethod
    def probe(self) -> None:
        """Return if it answers within ``PROBE_SECONDS``; otherwise raise anything."""

    def prepare(self) -> None:
        """Make what it needs before a start, unless it is there."""

    def environment(self) -> dict[str, str]:
        """Return its environment: nothing of ours but the path, which could change what it does."""
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": path, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}

    def clean_up(self) -> None:
        """Remove what its processes have left in its way; they are gone."""

    # the same for all

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> None:
        if self._guard is not None:
            self.kill()
        self.prepare()
        command = [sys.executable, "-I", "-S", str(guard.__file__), *self.command()]
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment(),
                start_new_session=True,  # an interrupt from the keyboard is for the harness alone
            )
        try:
            self._wait_for_answer(self._guard)
        except BaseException:
            self.kill()
            raise

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.probe()
            except Exception as error:  # whatever a client raises means: not yet
                is_over = process.poll() is not None or time.monotonic() > end
                if is_over:
                    raise RuntimeError(f"{self.name} does not start:\n{self.tail()}") from error
            time.sleep(PAUSE_SECONDS)

    def kill(self) -> None:
        if self._guard is None:
            return
        assert self._guard.stdin
        self._guard.stdin.close()  # the guard's sign; it ends after the last process
        self._guard.wait(KILL_SECONDS)
        self._guard, self.frozen = None, False
        self.clean_up()

    def processes(self) -> list[int]:
        """Return its processes, parents first; none once it is killed."""
        return guard.descendants(self._guard.pid) if self._guard is not None else []

    def freeze(self) -> None:
        guard.signal_all(self._running().pid, signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        if self.frozen:
            guard.signal_all(self._running().pid, signal.SIGCONT)
        self.frozen = False

    def stop(self) -> None:
        self.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._guard is None or self._guard.poll() is not None:
            raise RuntimeError(f"{self.name} does not run:\n{self.tail()}")
        return self._guard

    def run(self, *command: str, timeout_seconds: float = START_SECONDS) -> None:
        """Run a program of the server's to its end; raise ``RuntimeError`` if it fails."""
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment(),
                timeout=timeout_seconds,
                text=True,
                errors="replace",
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            output = str(error.stdout or "")[-TAIL_BYTES:]
            raise RuntimeError(f"{self.name}: {error}\n{output}") from error

    def tail(self) -> str:
        """Return the end of its log."""
        with contextlib.suppress(OSError):
            return self.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
        return ""
