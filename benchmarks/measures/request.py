"""What an emit adds to a request of a minimal view, under a production server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.load import load
from benchmarks.measuring import Contenders, Target, measure
from benchmarks.programs import running
from trackable_tests import gate
from trackable_tests.faults.servers.base import free_port

CLIENTS = 8
START_SECONDS = 30
FIGURES = {"median": 0.5, "99th percentile": 0.99}
EMITS = ("with an emit", "broker away", "broker swallows packets")


def serve(lab: Lab, stack: ExitStack, **settings: object) -> Path:
    """Start gunicorn and return its socket."""
    folder = lab.new_folder()
    address = folder / "socket"
    environment = lab.environment(TRACKABLE_JOURNAL_DIR=str(folder / "journal"), **settings)
    stack.enter_context(
        running(
            *("gunicorn", f"--bind=unix:{address}", "--workers=2", "--log-level=warning"),
            "benchmarks.site.wsgi",
            environment=environment,
            log=folder / "log",
        )
    )
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError):
            load(address, "/plain", 1, 1)
            return address
        time.sleep(0.05)
    raise RuntimeError(f"gunicorn does not start: {(folder / 'log').read_text()[-2000:]}")


def milliseconds(server: Path, path: str, requests: int) -> dict[str, float]:
    seconds = load(server, path, requests, CLIENTS)
    return {name: seconds[int(len(seconds) * at)] * 1000 for name, at in FIGURES.items()}


@measure(
    "request",
    title="a minimal view with an emit and without, eight clients",
    unit="ms a request",
    budget_seconds=80,
    turns=4,
    targets=tuple(
        Target(f"{emits}, {figure}", f"without, {figure}", at_most=1.03)
        for emits in (*EMITS, "without, again")
        for figure in FIGURES
    ),
    note="gunicorn with two synchronous workers, eight clients on its socket, a connection for each"
    " request. A turn is long enough for the flusher's work to fall into it, and the turns"
    " alternate many times, because the difference is less than the noise of one. How much of it is"
    " noise still, the view without an emit shows beside itself: it should be 1.",
)
def a_minimal_view(lab: Lab) -> Iterator[Contenders]:
    requests = lab.pick(4_000, 1_000)
    with ExitStack() as stack:
        silent = stack.enter_context(gate.silence(accepting=False))
        brokers = [None, *(f"amqp://127.0.0.1:{port}//" for port in (free_port(), silent))]
        servers = [serve(lab, stack, TRACKABLE_BROKER_URL=url) for url in brokers]
        plain = partial(milliseconds, servers[0], "/plain", requests)
        contenders: Contenders = {
            emits: partial(milliseconds, server, "/emitting", requests)
            for emits, server in zip(EMITS, servers, strict=True)
        }
        yield contenders | {"without": plain, "without, again": plain}
