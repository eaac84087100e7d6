"""The site's server: gunicorn on a free port of 127.0.0.1, ended with the ``with`` block."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from trackable_tests.demo.runner.processes import stop

START_TIMEOUT_SECONDS: Final = 30
ANSWER_TIMEOUT_SECONDS: Final = 5
BACKLOG: Final = 512
SHOWN_CHARACTERS: Final = 2000


class ServerFailed(Exception):
    """The server did not start, or has ended."""


class Server:
    """A running gunicorn."""

    def __init__(self, process: subprocess.Popen[str], port: int, directory: Path) -> None:
        self.process = process
        self.port = port
        self.directory = directory

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def check(self) -> None:
        """Raise ``ServerFailed``, with what the server said last, if it has ended."""
        status = self.process.poll()
        if status is not None:
            raise self.failed(f"has ended with status {status}")

    def failed(self, how: str) -> ServerFailed:
        """Return an error with what the server said last."""
        said = log_of(self.directory).read_text(errors="replace")[-SHOWN_CHARACTERS:]
        return ServerFailed(f"The server {how}.\n{said}")

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._answers():
            self.check()
            if time.monotonic() > deadline:
                raise self.failed("does not answer")
            time.sleep(0.05)

    def _answers(self) -> bool:
        visitor = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_SECONDS)
        with closing(visitor), suppress(OSError, http.client.HTTPException):
            visitor.request("GET", "/")
            status = visitor.getresponse().status
            if status != 200:
                raise self.failed(f"answers with {status}")
            return True
        return False

    def kill_a_worker(self) -> int:
        """Kill a worker process with SIGKILL and return its pid."""
        pid = min(int(path.stem) for path in self.directory.glob("*.worker"))
        os.kill(pid, signal.SIGKILL)
        return pid


@contextmanager
def serve(directory: Path, workers: int) -> Iterator[Server]:
    """Run the site, whose files are in ``directory``. Raises ``ServerFailed``."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        port = listener.getsockname()[1]
        process = _start(directory, workers, listener.fileno())
    server = Server(process, port, directory)
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        stop(process)


def _start(directory: Path, workers: int, fd: int) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "TRACKABLE_DEMO_FD": str(fd),
        "TRACKABLE_DEMO_WORKERS": str(workers),
        "TRACKABLE_DEMO_PARENT": str(os.getpid()),
    }
    configuration = "python:trackable_tests.demo.runner.gunicorn_conf"
    with log_of(directory).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", configuration],
            env=environment,
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )


def log_of(directory: Path) -> Path:
    return directory / "site.log"
