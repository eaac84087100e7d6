"""Visitors: client processes that send real HTTP requests and write down what was answered.

Nothing here knows Django, so a client process starts quickly.
"""

from __future__ import annotations

import http.client
import random
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

from trackable_tests.demo.runner.agents import CRAWLERS, PEOPLE

CLIENTS: Final = 4
CRAWLERS_SHARE: Final = 0.2
LONGEST_VISIT: Final = 15
TIMEOUT_SECONDS: Final = 30
STOP_TIMEOUT_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Request:
    """A request as its sender knows it; ``status`` is 0 if the connection broke instead."""

    target: str
    is_crawler: bool
    status: int
    first_day: str
    last_day: str


class ClientFailed(Exception):
    """A client process has ended before its time."""


def send(
    port: int, targets: Sequence[str], number: int, *, seed: int = 0
) -> Generator[list[Request], None, None]:
    """Send so many requests to the site on that port and yield them, a visit at a time.

    The clients end with the iterator. Raises ``ClientFailed``.
    """
    shares = [number // CLIENTS + (client < number % CLIENTS) for client in range(CLIENTS)]
    jobs = [(port, targets, share, seed * CLIENTS + client) for client, share in enumerate(shares)]
    with _processes(_client, jobs) as (processes, readers):
        while readers:
            ready = connection.wait(readers)
            for reader in [reader for reader in readers if reader in ready]:
                try:
                    yield reader.recv()
                except EOFError:
                    readers.remove(reader)
        for process in processes:
            process.join()
            if process.exitcode:
                raise ClientFailed(f"A client has ended with status {process.exitcode}.")


@contextmanager
def _processes(
    target: Callable[..., None], jobs: Sequence[tuple[object, ...]]
) -> Iterator[tuple[list[BaseProcess], list[Connection]]]:
    """Start a process for each job, that gets a pipe to us too; end those that still run."""
    context = get_context("spawn")
    processes: list[BaseProcess] = []
    readers: list[Connection] = []
    # Ctrl-C goes to every process of the terminal; who inherits this leaves it to us.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for job in jobs:
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=target, args=(*job, writer), daemon=True)
            process.start()
            writer.close()
            processes.append(process)
            readers.append(reader)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        yield processes, readers
    finally:
        for each in processes:
            each.terminate()
        for each in processes:
            each.join(STOP_TIMEOUT_SECONDS)


def _client(port: int, targets: Sequence[str], number: int, seed: int, answers: Connection) -> None:
    choice = random.Random(seed)
    while number > 0:
        pages = min(number, choice.randint(1, LONGEST_VISIT))
        answers.send(_visit(port, _popular(choice, targets, pages), choice))
        number -= pages


def _popular(choice: random.Random, targets: Sequence[str], number: int) -> list[str]:
    """Choose targets, the first of them most often, as in the world."""
    weights = [1 / (rank + 2) for rank in range(len(targets))]
    return choice.choices(targets, weights, k=number)


def _visit(port: int, targets: Sequence[str], choice: random.Random) -> list[Request]:
    """Request the targets one after another as one visitor, on one connection if it holds."""
    is_crawler = choice.random() < CRAWLERS_SHARE
    headers = {
        "User-Agent": choice.choice(CRAWLERS if is_crawler else PEOPLE),
        "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
        "Accept-Language": "en",
    }
    visitor = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    made = []
    for target in targets:
        first_day = _today()
        status = _request(visitor, target, headers)
        made.append(Request(target, is_crawler, status, first_day, _today()))
    visitor.close()
    return made


def _request(visitor: http.client.HTTPConnection, target: str, headers: dict[str, str]) -> int:
    try:
        visitor.request("GET", target, headers=headers)
        response = visitor.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        visitor.close()
        return 0
    return response.status


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
