"""The nursery: a process that has imported everything and forks the others, which is quick.

``python -m trackable_tests.faults.nursery`` reads a command from each line of its input: a
process to fork, or a signal for one. It tells on its output who was born, was stopped and has
ended. When the input ends, it ends all of them; when it is killed, the kernel does.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Any, NoReturn

from trackable_tests.faults.deaths import die_with


def main(parent: int) -> None:
    die_with(parent)
    import django

    django.setup()
    from trackable_tests.faults import roles, sabotage

    roles.hurry()
    roles.import_transport()
    sabotage.apply(os.environ.get(sabotage.VARIABLE))
    gc.freeze()  # what is shared then stays shared
    request = Nursery().serve()
    # From here on this is the new process, which ends as any other does.
    roles.play(roles.Request(**request))


class Nursery:
    """Knows the processes that it has forked and not yet seen end: no other gets a signal."""

    def __init__(self) -> None:
        self.pids: set[int] = set()
        self._wake_read, self._wake_write = os.pipe()
        for fd in (self._wake_read, self._wake_write, sys.stdin.fileno()):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._input = b""

    def serve(self) -> dict[str, Any]:
        """Serve to the end of the input; in a new process, return what that is to be."""
        self._tell("ready", os.getpid(), time.process_time())
        while True:
            select.select([sys.stdin.fileno(), self._wake_read], [], [])
            with suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
            self._reap()
            for line in self._lines():
                match json.loads(line):
                    case ["start", request]:
                        if self._is_newborn(request):
                            return dict(request)
                    case ["signal", pid, number] if pid in self.pids:
                        os.kill(pid, number)

    def _lines(self) -> list[bytes]:
        try:
            content = os.read(sys.stdin.fileno(), 1 << 16)
        except BlockingIOError:
            return []
        if not content:
            self._end()
        *lines, self._input = (self._input + content).split(b"\n")
        return lines

    def _is_newborn(self, request: dict[str, Any]) -> bool:
        """Fork; tell whether this is the new process."""
        nursery = os.getpid()
        pid = os.fork()
        if pid:
            self.pids.add(pid)
            self._tell("born", pid, request["name"])
            return False
        die_with(nursery)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._write_to(f"{request['folder']}/{request['name']}.log")
        return True

    def _write_to(self, path: str) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for fd, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(fd, target)
        for fd in (nothing, log, self._wake_read, self._wake_write):
            os.close(fd)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
                pid, status = found
                if os.WIFSTOPPED(status):
                    self._tell("stopped", pid)
                else:
                    self.pids.discard(pid)
                    self._tell("ended", pid, os.waitstatus_to_exitcode(status))

    def _tell(self, *event: object) -> None:
        os.write(sys.stdout.fileno(), json.dumps(event).encode() + b"\n")

    def _end(self) -> NoReturn:
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
