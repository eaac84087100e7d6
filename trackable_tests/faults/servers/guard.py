"""Runs a server and holds its processes together: ``python guard.py <command>...``.

Orphans among them become children of the guard, so that daemons and the backends of PostgreSQL,
which make sessions of their own, are found too. When the server ends, the rest is killed; when
standard input ends, everything is. A harness that is killed closes it like any other. In the end
the server's shared memory is removed, which no kill does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_CHILD_SUBREAPER = 36
IPC_RMID = 0
SEGMENTS = "/proc/sysvipc/shm"

_libc = ctypes.CDLL(None, use_errno=True)


def signal_all(root: int, number: int) -> None:
    """Send a signal to all descendants of a process, parents first, and to those born meanwhile."""
    seen: set[int] = set()
    while new := [pid for pid in descendants(root) if pid not in seen]:
        for pid in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        seen.update(new)


def descendants(root: int) -> list[int]:
    """Return the processes that live below one, parents before their children."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
            if state not in (b"Z", b"X"):
                children.setdefault(int(parent), []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, ())
    return found[1:]


def main(command: list[str]) -> None:
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the guard cannot adopt orphans")
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_kill_at_eof, daemon=True).start()
    with contextlib.suppress(ChildProcessError):  # the last of them is gone
        while True:
            pid, _ = os.wait()
            if pid == server.pid:
                signal_all(os.getpid(), signal.SIGKILL)
    for segment in segments_of(server.pid):
        _libc.shmctl(segment, IPC_RMID, None)


def segments_of(creator: int) -> list[int]:
    """Return the ids of the System V shared memory that a process has made."""
    with open(SEGMENTS) as file:
        names = file.readline().split()
        rows = [dict(zip(names, map(int, line.split()), strict=True)) for line in file]
    return [row["shmid"] for row in rows if row["cpid"] == creator]


def _kill_at_eof() -> None:
    while os.read(0, 1):
        pass
    signal_all(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
