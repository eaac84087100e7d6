"""What processes do that tests start, and kill: ``python -m trackable_tests.children <role>``."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import django

django.setup()

from django.db import connections  # noqa: E402

import trackable  # noqa: E402
from trackable import conf  # noqa: E402
from trackable.folding.collect import collect  # noqa: E402
from trackable.journal import writer  # noqa: E402
from trackable.messaging import send_increment_message  # noqa: E402
from trackable_tests.counting import emit, emit_segment, fold_until_settled, total  # noqa: E402
from trackable_tests.testapp.models import Page, PageData, PageTotals  # noqa: E402

ROUNDS = 8
PACKAGE = os.path.dirname(trackable.__file__)

Line = list[Any]


# roles


def emit_for_ever(page_id: str) -> None:
    """Tell of each acknowledged emit by one byte, until killed."""
    page = Page(pk=int(page_id))
    out = sys.stdout.fileno()
    while send_increment_message(None, page, "views"):
        os.write(out, b".")


def emit_after_fork(page_id: str, processes: str, number: str) -> None:
    """Emit, fork, and emit in every process."""
    page = Page(pk=int(page_id))
    emit(page)
    children = [in_a_fork(emit_segment, page, times=int(number)) for _ in range(int(processes))]
    emit_segment(page, times=int(number))
    wait_for(*children)


def emit_and_fold(page_ids: str, processes: str) -> None:
    """Add and take away in several processes at once, each of which folds."""
    pages = [Page(pk=int(page_id)) for page_id in page_ids.split(",")]
    wait_for(*[in_a_fork(emit_and_fold_in_turns, pages, n) for n in range(int(processes))])


def fold_under_fire(page_id: str, kills: str) -> None:
    """Emit while a fold runs that is killed at some moment, again and again."""
    page = Page(pk=int(page_id))
    dice = random.Random(int(kills))
    emitted = 0
    for _ in range(int(kills)):
        child = in_a_fork(fold_for_ever)
        end = time.monotonic() + dice.uniform(0.02, 0.2)
        while time.monotonic() < end:
            emit(page, data_cls=PageTotals)
            emit_segment(page)
            emitted += 1
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the fold has ended by itself"
    print(emitted)


def fold_killed_at_every_line(page_id: str, step: str) -> None:
    """Kill a fold before each line of ours that it runs, and have the next one count exactly."""
    page = Page(pk=int(page_id))
    lines_of_a_fold(page)  # makes what is made once: the folder's own files
    lines = lines_of_a_fold(page)
    wait_for(in_a_fork(fold_and_compare, 2))
    stops = lines[:: int(step)]
    for number, line in enumerate(stops, start=3):
        child = in_a_fork(emit_and_fold_until, page, line)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), f"{line} was not reached"
        wait_for(in_a_fork(fold_and_compare, number))
    print(len(stops))


# what they are made of


def emit_and_fold_in_turns(pages: list[Page], turn: int) -> None:
    for number in range(ROUNDS):
        for page in random.Random(turn * ROUNDS + number).sample(pages, len(pages)):
            for field, value in (("views", 5), ("views", -2), ("clicks", 1), ("score", -3)):
                emit(page, field, value)
        writer.seal()
        collect(wait=False)


def fold_for_ever() -> None:
    while True:
        collect(wait=False)


def emit_a_few(page: Page) -> None:
    """Leave one sealed segment and an open one."""
    emit(page, "views", 2)
    emit(page, "score", -1)
    emit_segment(page, data_cls=PageTotals)
    emit(page, "views")


def fold_and_compare(times: int) -> None:
    fold_until_settled()
    totals = total(PageData, "views"), total(PageData, "score"), total(PageTotals)
    assert totals == (3 * times, -times, times), (totals, times)


def lines_of_a_fold(page: Page) -> list[Line]:
    """Emit and fold once, and return the different lines that this runs, in their order."""
    read, write = os.pipe()

    def fold_traced() -> None:
        lines: dict[tuple[str, int], None] = {}
        emit_a_few(page)
        with_each_line(lambda *line: lines.setdefault(line), fold_twice)
        os.write(write, json.dumps(list(lines)).encode())

    wait_for(in_a_fork(fold_traced))
    os.close(write)
    with os.fdopen(read) as pipe:
        return list(json.load(pipe))


def emit_and_fold_until(page: Page, stop: Line) -> None:
    def kill(*line: Any) -> None:
        if line == tuple(stop):
            os.kill(os.getpid(), signal.SIGKILL)

    emit_a_few(page)
    with_each_line(kill, fold_twice)


def fold_twice() -> None:
    collect(wait=False)
    collect(wait=False)


def with_each_line(see: Callable[[str, int], object], action: Callable[[], None]) -> None:
    """Do something, and see each line of trackable's before it runs."""

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            see(frame.f_code.co_filename, frame.f_lineno)
        return trace

    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(None)


def in_a_fork(action: Callable[..., None], *arguments: Any, **options: Any) -> int:
    """Do something in a forked process that ends at once after it; return its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        action(*arguments, **options)
        connections.close_all()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def wait_for(*children: int) -> None:
    statuses = [os.waitpid(child, 0)[1] for child in children]
    assert not any(statuses), statuses


def import_transport() -> None:
    """Import what talks to the broker once, and not in every fork."""
    if url := conf.get("BROKER_URL"):
        from kombu import Connection, Producer, Queue  # noqa: F401

        Connection(url).get_transport_cls()


if __name__ == "__main__":
    import_transport()
    globals()[sys.argv[1]](*sys.argv[2:])
