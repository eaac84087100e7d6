"""A partner's server on loopback, which answers well, badly, slowly or not at all."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Long enough for whatever is tested, and over when the site closes.
FOR_EVER_SECONDS = 60
DRIP_SECONDS = 0.02

Behaviour = Callable[["PartnerSite", socket.socket], None]


@dataclass
class Request:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)


class PartnerSite(socketserver.ThreadingTCPServer):
    """Answers each request with the next of its behaviours, and the last of them again."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 50

    def __init__(self, *, family: int = socket.AF_INET, certificate: Path | None = None) -> None:
        self.address_family = family
        self.behaviours: list[Behaviour] = [answer(204)]
        self.listens = True
        self.requests: list[Request] = []
        self.arrived = threading.Event()
        self.closing = threading.Event()
        self.cut_off = threading.Event()
        self.tls: ssl.SSLContext | None = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        super().__init__(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http{'s' if self.tls else ''}://{host}:{self.port}{path}"

    def will(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)

    def next_behaviour(self) -> Behaviour:
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


class Handler(socketserver.BaseRequestHandler):
    server: PartnerSite

    def handle(self) -> None:
        with suppress(OSError, ValueError):
            sock = self.request
            if self.server.tls is not None:
                sock = self.server.tls.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as lines:
                if self.server.listens:
                    self._take(lines)
                self.server.next_behaviour()(self.server, sock)

    def _take(self, lines: Any) -> None:
        method, target, _ = lines.readline().decode().split()
        taken = Request(method, target)
        while line := lines.readline().decode().rstrip("\r\n"):
            name, _, value = line.partition(": ")
            taken.headers[name] = value
        self.server.requests.append(taken)
        self.server.arrived.set()


def answer(status: int, *headers: str, body: bytes = b"") -> Behaviour:
    head = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
    return send("\r\n".join([*head, "", ""]).encode() + body)


def send(raw: bytes) -> Behaviour:
    """Send some bytes, and close."""

    def behave(_: PartnerSite, sock: socket.socket) -> None:
        sock.sendall(raw)

    return behave


def hang(site: PartnerSite, sock: socket.socket) -> None:
    """Say nothing, until the site closes."""
    site.closing.wait(FOR_EVER_SECONDS)


def hang_until(event: threading.Event, then: Behaviour) -> Behaviour:
    def behave(site: PartnerSite, sock: socket.socket) -> None:
        event.wait(FOR_EVER_SECONDS)
        then(site, sock)

    return behave


def drip(start: bytes, drop: bytes) -> Behaviour:
    """Send a drop again and again, until nobody takes it any more."""

    def behave(site: PartnerSite, sock: socket.socket) -> None:
        try:
            sock.sendall(start)
            while not site.closing.wait(DRIP_SECONDS):
                sock.sendall(drop)
        except OSError:
            site.cut_off.set()

    return behave


def flood(site: PartnerSite, sock: socket.socket) -> None:
    """Answer 200 with a body that has no end."""
    sent = 0
    try:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not site.closing.is_set():
            sent += sock.send(bytes(65536))
    except OSError:
        site.cut_off.set()
