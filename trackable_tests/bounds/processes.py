"""What processes do that tests of bounds start: ``python -m trackable_tests.bounds.processes``."""

from __future__ import annotations

import ctypes
import fcntl
import json
import multiprocessing
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import django

TIMEOUT_SECONDS = 60
DISK_BYTES = 256 << 10
FORKS = 30
EMITTING_THREADS = 3
CHILDRENS_EMITS = 50


# starting them


def run(
    role: str, environment: dict[str, str], *arguments: object, disk: Path | None = None
) -> Any:
    """Run a role to its end, on a small disk if there is one; return what it told."""
    return told_by(start(role, environment, *arguments, disk=disk))


def start(
    role: str, environment: dict[str, str], *arguments: object, disk: Path | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", __name__, role, *map(str, arguments)]
    if disk is not None:
        disk.mkdir()
        command = [*_on_a_disk_of_its_own(disk), *command]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def told_by(child: subprocess.Popen[str]) -> Any:
    with child:
        try:
            out, err = child.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            child.kill()
    assert child.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def _on_a_disk_of_its_own(disk: Path) -> list[str]:
    """Return a command that mounts a small disk; an empty one where nobody may mount."""
    mount = f'mount -t tmpfs -o size={DISK_BYTES} tmpfs "$0" && exec "$@"'
    return [*_namespace(), "sh", "-c", mount, str(disk)] if _namespace() else []


@lru_cache
def _namespace() -> tuple[str, ...]:
    for command in (("unshare", "-m"), ("unshare", "-rm")):
        try:
            mounts = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
            done = subprocess.run(mounts, capture_output=True, check=False)
        except FileNotFoundError:
            return ()
        if done.returncode == 0:
            return command
    return ()


# roles


def fill_the_disk(folder: str, page_id: str) -> dict[str, int]:
    """Emit until the disk refuses, make room, emit again, and fold."""
    from trackable import alarms, conf
    from trackable.flusher import Flusher
    from trackable.folding.collect import collect
    from trackable.journal import tally, writer
    from trackable.messaging import send_increment_message
    from trackable_tests.testapp.models import Page, PageTotals

    def emit(times: int) -> int:
        return sum(send_increment_message(None, page, "views", PageTotals) for _ in range(times))

    page = Page(pk=int(page_id))
    mails: list[str] = []
    alarms._mail = lambda subject, _: mails.append(subject)
    room = _Room(Path(folder))
    subject, before = writer.current(), emit(10)
    thread = Flusher(subject, 0.0)
    room.fill()
    while subject.refused < 500:
        before += emit(50)
        thread.turn()
    for _ in range(3):
        before += emit(5)
        thread.turn()
    room.make()
    subject._failed_at = 0.0
    after = emit(100)
    thread.turn()
    collect(wait=False)
    return {
        "before": before,
        "after": after,
        "refused": subject.refused,
        "mails": len(mails),
        "told": tally.read(conf.journal_dir())["refused"],
    }


def emit_steadily(page_id: str, per_second: str) -> dict[str, int]:
    """Emit at a rate until SIGTERM; return what was acknowledged and what was refused."""
    from trackable.messaging import send_increment_message
    from trackable_tests.testapp.models import Page

    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    page, begun = Page(pk=int(page_id)), time.monotonic()
    told = {"acknowledged": 0, "refused": 0}
    while not signals:
        due = (time.monotonic() - begun) * float(per_second)
        while sum(told.values()) < due:
            is_taken = send_increment_message(None, page, "views")
            told["acknowledged" if is_taken else "refused"] += 1
        time.sleep(0.01)
    return told


class _Room:
    """Room on a disk: taken by a file, or by a limit where nobody may mount a small disk."""

    def __init__(self, folder: Path) -> None:
        self.filler = folder / "filler"
        self.is_small = os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize == DISK_BYTES

    def fill(self) -> None:
        if not self.is_small:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            return
        try:
            with self.filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            os.truncate(self.filler, self.filler.stat().st_size - 3 * 4096)

    def make(self) -> None:
        if self.is_small:
            self.filler.unlink()
        else:
            infinity = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.setrlimit(resource.RLIMIT_FSIZE, infinity)


def fork_while_emitting(page_id: str, way: str) -> int:
    """Emit in threads while the main one forks children that emit; return what was acknowledged."""
    from trackable.messaging import send_increment_message
    from trackable_tests.testapp.models import Page, PageTotals

    warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads
    page = Page(pk=int(page_id))
    read, write = os.pipe()
    stopping = threading.Event()
    acknowledged: list[int] = []

    def emit(times: int) -> int:
        return sum(send_increment_message(None, page, "views", PageTotals) for _ in range(times))

    def emit_on() -> None:
        taken = 0
        while not stopping.wait(0.001):
            taken += emit(20)
        acknowledged.append(taken)

    def be_a_child() -> None:
        os.write(write, emit(CHILDRENS_EMITS).to_bytes(1, "big"))

    emit(1)
    acknowledged.append(1)
    # Without its hooks a fork of threads that wait for the interpreter's lock is Python's end.
    number = 0 if way == "libc" else EMITTING_THREADS
    threads = [threading.Thread(target=emit_on) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(FORKS):
            FORKING[way](be_a_child)
            acknowledged.append(emit(1))
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        return sum(acknowledged) + sum(pipe.read())


def _fork(action: Callable[[], None]) -> None:
    _wait_for(os.fork(), action)


def _fork_without_hooks(action: Callable[[], None]) -> None:
    # PyDLL keeps the interpreter's lock, as a program does that embeds Python.
    _wait_for(ctypes.PyDLL(None).fork(), action)


def _fork_by_multiprocessing(action: Callable[[], None]) -> None:
    child = multiprocessing.get_context("fork").Process(target=action)
    child.start()
    child.join()
    assert child.exitcode == 0, f"the child ended with {child.exitcode}"


def _wait_for(child: int, action: Callable[[], None]) -> None:
    if child == 0:
        signal.alarm(TIMEOUT_SECONDS)  # whatever holds it up, it does not stay
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


FORKING = {
    "os": _fork,
    "multiprocessing": _fork_by_multiprocessing,
    "libc": _fork_without_hooks,
}


def be_a_machine(page_id: str, number: str, boot_id: str, seconds: str) -> int:
    """Be a machine whose locks others do not see: emit in processes, of which one dies; fold."""
    from trackable import flusher
    from trackable.folding.collect import collect
    from trackable.journal import machines, segments
    from trackable.messaging import send_increment_message
    from trackable_tests.children import in_a_fork
    from trackable_tests.testapp.models import Page, PageTotals

    def lock(fd: int) -> bool:
        # Of one byte of its own: what one machine locks, the other does not see.
        request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, int(number), 1, 0)
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
        except BlockingIOError:
            return False
        return True

    machines.BOOT_ID = Path(boot_id)  # type: ignore[misc]
    segments.lock = lock
    flusher.ADOPT_INTERVAL_SECONDS = 0.1  # type: ignore[misc]
    page, end = Page(pk=int(page_id)), time.monotonic() + float(seconds)
    read, write = os.pipe()

    def emit_on() -> None:
        while time.monotonic() < end:
            if send_increment_message(None, page, "views", PageTotals):
                os.write(write, b".")
            time.sleep(0.0005)

    def fold_on() -> None:
        while time.monotonic() < end:
            collect(wait=False)
            time.sleep(0.02)

    children = [in_a_fork(emit_on) for _ in range(2)]
    folder, victim = in_a_fork(fold_on), in_a_fork(emit_on)
    os.close(write)
    time.sleep(float(seconds) / 2)
    os.kill(victim, signal.SIGKILL)
    with os.fdopen(read, "rb") as pipe:
        acknowledged = len(pipe.read())
    statuses = [os.waitpid(child, 0)[1] for child in (*children, folder)]
    assert not any(statuses), statuses
    os.waitpid(victim, 0)
    return acknowledged


if __name__ == "__main__":
    django.setup()
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
