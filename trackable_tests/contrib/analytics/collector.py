"""A service's server on loopback: records what it is sent; slow, failing or hanging on demand."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Received:
    """A request as it arrived; names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The parameters of the body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters, wherever they are."""
        return self.query if self.method == "GET" else self.form

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What a request is answered with."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Collector:
    """The server. Whatever is set holds for the requests that come from then on."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        #: what requests are answered with, one after the other; the last one stays
        self.answers: list[Answer] = [Answer()]
        #: so long before each answer
        self.delay_seconds = 0.0
        #: closes connections instead of answering
        self.hangs_up = False
        #: sends one byte of the body after the other, so long apart, and never ends
        self.drips_seconds = 0.0
        #: the same with a header
        self.drips_in_headers = False
        #: the number of requests that wait for an answer
        self.in_hand = 0
        self._released = threading.Event()
        self._released.set()
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def hang(self) -> None:
        """Answer nothing until ``release``."""
        self._released.clear()

    def release(self) -> None:
        """Answer again, also what hangs."""
        self._released.set()

    @property
    def hangs(self) -> bool:
        return not self._released.is_set()

    def answer_with(self, status: int, body: bytes | str | Any = b"", **headers: str) -> None:
        """Answer everything so from now on; what is no text or bytes is sent as JSON."""
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers = [Answer(status, body, named)]

    def wait_for(self, number: int = 1) -> list[Received]:
        """Wait until so many requests have come, and return them all."""
        self.wait_until(lambda: len(self.received) >= number)
        return list(self.received)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that a request may bring about is so."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while not condition():
                remaining = deadline - time.monotonic()
                assert remaining > 0, f"{len(self.received)} requests came in time"
                self._changed.wait(min(remaining, 0.05))

    def take(self, received: Received) -> Answer | None:
        """Record a request, and return the answer, ``None`` for none at all."""
        with self._changed:
            self.received.append(received)
            self.in_hand += 1
            self._changed.notify_all()
        time.sleep(self.delay_seconds)
        self._released.wait()
        with self._changed:
            self.in_hand -= 1
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return None if self.hangs_up else answer

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that do not wait for the answer."""


def _handler_of(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.command, self.path, headers, self.rfile.read(length))
            answer = collector.take(received)
            if answer is None:
                self._hang_up()
            elif collector.drips_seconds:
                self._drip(answer)
            else:
                self._answer(answer)

        do_POST = do_GET

        def _answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _drip(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Length", "1000000")
            if collector.drips_in_headers:
                self.send_header("X-Long", "")
                self._headers_buffer[-1] = b"X-Long: "
                self.flush_headers()
            else:
                self.end_headers()
            while collector.drips_seconds:
                self.wfile.write(b".")
                time.sleep(collector.drips_seconds)

        def _hang_up(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that runs meanwhile."""
    with Collector() as collector:
        yield collector


def refusing_port() -> int:
    """Return a port of this machine that refuses connections."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
