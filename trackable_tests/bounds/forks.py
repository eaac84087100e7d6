"""Forks: processes of this one's kind, that tell what they have found."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

Tell = Callable[[Any], None]


class Fork:
    """A forked process; it runs an action that is given a function to tell something with."""

    def __init__(self, action: Callable[..., None], *arguments: Any) -> None:
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(read)
            _run(action, write, arguments)
        os.close(write)
        self._told = os.fdopen(read, encoding="utf-8")

    def __enter__(self) -> Fork:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Kill it, stopped or not."""
        os.kill(self.pid, signal.SIGKILL)
        self.end()

    def hear(self) -> Any:
        """Wait for what it tells next; ``None`` if it has ended."""
        line = self._told.readline()
        return json.loads(line) if line else None

    def end(self) -> int:
        """Wait for its end and return its exit code, or its signal as a negative number."""
        self._told.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def result(self) -> Any:
        """Return what it tells, once it has ended well."""
        found = self.hear()
        assert self.end() == 0
        return found


def _run(action: Callable[..., None], write: int, arguments: tuple[Any, ...]) -> None:
    def tell(found: Any) -> None:
        os.write(write, f"{json.dumps(found)}\n".encode())

    status = 1
    try:
        action(tell, *arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
