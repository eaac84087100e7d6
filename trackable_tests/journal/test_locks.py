"""Machine locks."""

from __future__ import annotations

import os
from pathlib import Path

from trackable.journal.locks import MachineLock


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    one, other = MachineLock(tmp_path / "lock"), MachineLock(tmp_path / "lock")
    assert one.acquire()
    assert one.acquire()
    assert not other.acquire()
    one.release()
    assert other.acquire()
    other.release()


def test_a_death_frees_it_though_a_child_lives_on(tmp_path: Path) -> None:
    (life_in, life_out), (ready_in, ready_out) = os.pipe(), os.pipe()
    parent = os.fork()
    if parent == 0:
        os.close(life_out)
        MachineLock(tmp_path / "lock").acquire()
        if os.fork() == 0:
            os.write(ready_out, b".")
            os.read(life_in, 1)  # lives until the test ends
        os._exit(0)
    os.waitpid(parent, 0)
    os.read(ready_in, 1)
    lock = MachineLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()
    for fd in (life_in, life_out, ready_in, ready_out):
        os.close(fd)


def test_a_child_does_not_hold_what_its_parent_holds(tmp_path: Path) -> None:
    lock = MachineLock(tmp_path / "new" / "lock")
    assert lock.acquire()
    child = os.fork()
    if child == 0:
        os._exit(0 if not lock.is_held and not lock.acquire() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert lock.is_held
    lock.release()
