"""A gate in front of a service: shut, it is as if the service were not there."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit


class Gate:
    """Listens on a port of its own when open, and cuts all connections when it shuts."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._address = probe.getsockname()
        user, _, _ = parts.netloc.rpartition("@")
        netloc = f"{user}@" if user else ""
        self.url = urlunsplit(parts._replace(netloc=f"{netloc}127.0.0.1:{self._address[1]}"))
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        self._listener = socket.create_server(self._address)
        self._run(self._accept, self._listener)

    def shut(self) -> None:
        for end in [*self._ends, *([self._listener] if self._listener else [])]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()
        self._listener, self._ends, self._threads = None, [], []

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._ends += [near, far]
                self._run(self._pass_on, near, far)
                self._run(self._pass_on, far, near)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(1 << 16):
                sink.sendall(content)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def _run(self, action: object, *sockets: socket.socket) -> None:
        thread = threading.Thread(target=action, args=sockets, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)


@contextlib.contextmanager
def in_front_of(url: str) -> Iterator[Gate]:
    """Give a gate to a service; it is shut at first."""
    gate = Gate(url)
    try:
        yield gate
    finally:
        gate.shut()


@contextlib.contextmanager
def silence(*, accepting: bool) -> Iterator[int]:
    """Give a port that never answers: it accepts connections, or swallows even these."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(64 if accepting else 0)
        port = listener.getsockname()[1]
        for _ in range(0 if accepting else 4):
            # They fill the queue of connections; the kernel drops the packets of further ones.
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(("127.0.0.1", port))
        yield port
