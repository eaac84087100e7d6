"""Load: clients that ask again as soon as they are answered, and how long each answer took."""

from __future__ import annotations

import selectors
import socket
import time
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 1 << 16
TIMEOUT_SECONDS: Final = 10.0
OK: Final = b" 200 OK"


def load(server: Path, path: str, requests: int, clients: int) -> list[float]:
    """Return the seconds that each request took, sorted; so many clients take turns in them.

    A connection for each request, on the server's Unix socket, as a proxy in front of it has.
    Raises ``RuntimeError`` for any answer but 200.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    seconds: list[float] = []
    asked = 0
    with selectors.DefaultSelector() as selector:
        while len(seconds) < requests:
            while asked < requests and asked - len(seconds) < clients:
                _ask(selector, server, request)
                asked += 1
            ready = selector.select(TIMEOUT_SECONDS)
            if not ready:
                raise RuntimeError(f"{server} does not answer")
            for key, _ in ready:
                if _is_over(key.fileobj, key.data):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
                    seconds.append(time.perf_counter() - key.data[0])
    return sorted(seconds)


def _ask(selector: selectors.BaseSelector, server: Path, request: bytes) -> None:
    client = socket.socket(socket.AF_UNIX)
    started = time.perf_counter()
    client.connect(str(server))
    client.sendall(request)
    selector.register(client, selectors.EVENT_READ, (started, bytearray()))


def _is_over(client: socket.socket, data: tuple[float, bytearray]) -> bool:
    content = client.recv(CHUNK_BYTES)
    data[1].extend(content)
    if content:
        return False
    if OK not in data[1][:20]:
        raise RuntimeError(f"the server answers {bytes(data[1][:200])!r}")
    return True
