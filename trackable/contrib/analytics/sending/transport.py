"""The transport: one request to a service, and what it answers, in bounded time and room.

Two things can go wrong, and they are told apart: nothing was sent, so it may be sent again, and
something was sent but not answered, so it may have been counted.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  # sockets load it when they need it, perhaps in mid fork
import logging
import os
import socket
import threading
import time
import urllib.request
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

from trackable.contrib.analytics import conf
from trackable.contrib.analytics.sending.attempts import POOLS, Attempt
from trackable.contrib.analytics.services.base import Request, Response

MAX_ANSWER_BYTES: Final = 64 * 1024
CHUNK_BYTES: Final = 8 * 1024
#: hosts, and connections to each, that are kept open; more are opened where they are needed
MAX_POOLS: Final = 20
MAX_CONNECTIONS: Final = 32
OWN_HEADERS: Final = {"User-Agent": "trackable", "Accept-Encoding": "identity"}


class UnreachableError(Exception):
    """Nothing was sent: the service was not reached."""


class UnansweredError(Exception):
    """Something was sent, and no answer came: nobody knows whether it was taken."""


def exchange(request: Request, *, timeouts_seconds: tuple[float, float]) -> Response:
    """Send a request and return its answer, within the sum of the two time-outs.

    Raises ``UnreachableError`` or ``UnansweredError``, which name the kind of error and nothing
    else: what the library says has the URL in it, and that may have a secret. Redirections are
    not followed.
    """
    connect_seconds, read_seconds = timeouts_seconds
    deadline = time.monotonic() + read_seconds
    with Attempt(connect_seconds + read_seconds) as attempt:
        answer = _answer_to(request, timeouts_seconds, attempt)
        body = _read(answer, deadline=deadline)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(answer.status, headers, body)


def _answer_to(request: Request, timeouts_seconds: tuple[float, float], attempt: Attempt) -> Any:
    connect_seconds, read_seconds = timeouts_seconds
    try:
        with _Quiet():
            answer = _manager(_proxy_for(request)).request(
                request.method,
                request.url,
                body=request.body or None,
                headers={**OWN_HEADERS, **request.headers},
                timeout=urllib3.Timeout(connect=connect_seconds, read=read_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
    except (NewConnectionError, ConnectTimeoutError, ProxyError) as error:
        raise UnreachableError(type(error).__name__) from None
    except Exception as error:
        kind = UnansweredError if attempt.is_sent else UnreachableError
        raise kind(type(error).__name__) from None
    if attempt.is_cut_off:  # which looks like the end of the headers
        answer.close()
        raise UnansweredError("Late")
    return answer


def _read(answer: Any, *, deadline: float) -> bytes:
    """Return the beginning of a body. The connection is kept if that is all of it."""
    body = b""
    try:
        while len(body) < MAX_ANSWER_BYTES and time.monotonic() < deadline:
            if not (chunk := answer.read1(CHUNK_BYTES)):
                answer.release_conn()
                break
            body += chunk
        else:
            answer.close()
    except (HTTPError, OSError, ValueError):
        answer.close()
    return body[:MAX_ANSWER_BYTES]


def _proxy_for(request: Request) -> str | None:
    """Return the proxy of the settings, or of the environment, as other programs find it."""
    if proxy := conf.get("proxy"):
        return str(proxy)
    if urllib.request.proxy_bypass_environment(request.host):  # type: ignore[attr-defined]
        return None
    scheme = request.url.partition(":")[0]
    return urllib.request.getproxies_environment().get(scheme)


_managers: dict[str | None, urllib3.PoolManager] = {}
_lock = threading.Lock()


def _manager(proxy: str | None) -> urllib3.PoolManager:
    """Return what keeps this process's connections."""
    with _lock:
        if proxy not in _managers:
            options: dict[str, Any] = {
                "num_pools": MAX_POOLS,
                "maxsize": MAX_CONNECTIONS,
                "socket_options": [*HTTPConnection.default_socket_options, *_keep_alive()],
            }
            manager = (
                urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
            )
            manager.pool_classes_by_scheme = POOLS
            _managers[proxy] = manager
        return _managers[proxy]


def _keep_alive() -> list[tuple[int, int, int]]:
    """Have the system notice, on a connection that is idle, that nobody is there any more."""
    found = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if (option := getattr(socket, name, None)) is not None:
            found.append((socket.IPPROTO_TCP, option, value))
    return found


class _Quiet(logging.Filter):
    """Cuts the queries off the URLs that urllib3 logs of our requests: there may be secrets in."""

    _here = threading.local()

    def __enter__(self) -> None:
        self._here.is_sending = True

    def __exit__(self, *exc_info: object) -> None:
        self._here.is_sending = False

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(self._here, "is_sending", False) and isinstance(record.args, tuple):
            record.args = tuple(
                each.partition("?")[0] if isinstance(each, str) else each for each in record.args
            )
        return True


def forget() -> None:
    """Share no connection with a parent process."""
    global _lock
    _lock = threading.Lock()
    _inherited.append(dict(_managers))
    _managers.clear()


#: Kept: what is collected is closed, and a proper end of TLS would be the parent's end too.
_inherited: list[Any] = []
logging.getLogger("urllib3.connectionpool").addFilter(_Quiet())
os.register_at_fork(after_in_child=forget)
