"""Sending: one call of a partner's URL, bounded in time and size, with urllib3.

The connection is made to an address that the guard has looked at. No redirect is followed, and no
proxy of the environment is used: either would lead past the guard.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

import trackable
from trackable.contrib.affiliations import conf, explaining, guard, signing
from trackable.contrib.affiliations.destinations import Destination, Refused, parse
from trackable.contrib.affiliations.explaining import Late

METHOD: Final = "GET"
#: What is read of an answer's body, and dropped, so that its sender may end in peace.
MAX_BODY_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call. ``error`` says in a few words why it is not what was hoped for."""

    status: int | None = None
    error: str = ""
    duration_ms: int = 0
    retry_after_seconds: float = 0.0
    is_refused: bool = False

    @property
    def is_success(self) -> bool:
        return self.status is not None and explaining.is_success(self.status)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of the time that a call has for all of it."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Return the seconds that are left. Raises ``Late`` if there are none."""
        seconds = self.at - time.monotonic()
        if seconds <= 0:
            raise Late
        return seconds

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.at


def call(url: str, *, key: str, secret: str) -> Answer:
    """Call a URL once, within ``AFFILIATE_CALLBACK_TIMEOUT``, and return what came of it.

    Whatever the partner or the network does is in the answer; none of it raises.
    """
    started = time.monotonic()
    deadline = Deadline.after(float(conf.get("CALLBACK_TIMEOUT")))
    try:
        destination = parse(url)
        found = guard.addresses_of(destination, timeout_seconds=deadline.left())
        headers = _headers(destination, key=key, secret=secret)
        answer = _exchange(destination, found, headers, deadline)
    except Refused as error:
        answer = Answer(error=explaining.shortened(str(error)), is_refused=True)
    except Exception as error:  # the edge: somebody else's server is behind it
        answer = Answer(error=explaining.of_error(error, is_late=deadline.is_over))
    return replace(answer, duration_ms=round((time.monotonic() - started) * 1000))


def _headers(destination: Destination, *, key: str, secret: str) -> dict[str, str]:
    signed = signing.header(
        secret=secret, at_seconds=int(time.time()), method=METHOD, url=destination.url, key=key
    )
    return {
        "Host": destination.authority,
        "User-Agent": f"trackable/{trackable.__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Idempotency-Key": key,
        signing.HEADER: signed,
    }


def _exchange(
    destination: Destination, found: tuple[str, ...], headers: dict[str, str], deadline: Deadline
) -> Answer:
    connection = _connected(destination, found, deadline)
    with closing(connection), _cut_off(connection.sock, deadline):
        connection.timeout = deadline.left()
        connection.request(METHOD, destination.target, headers=headers, preload_content=False)
        response = connection.getresponse()
        deadline.left()  # what was cut off looks like the end of the headers
        # By now the partner has said what it had to say.
        with suppress(Exception):
            response.read(MAX_BODY_BYTES, decode_content=False)
        return Answer(
            status=response.status,
            error=explaining.of_status(response.status),
            retry_after_seconds=explaining.seconds_of(response.headers.get("Retry-After", "")),
        )


def _connected(
    destination: Destination, found: tuple[str, ...], deadline: Deadline
) -> HTTPConnection:
    """Return a connection to the first of the addresses that takes one."""
    for number, address in enumerate(found, start=1):
        share_seconds = deadline.left() / (len(found) - number + 1)
        connection = _connection(destination, address, share_seconds)
        try:
            connection.connect()
        except BaseException as error:
            connection.close()
            if not isinstance(error, ConnectTimeoutError) or number == len(found):
                raise
        else:
            return connection
    raise Late  # there is always an address


def _connection(destination: Destination, address: str, timeout_seconds: float) -> HTTPConnection:
    """Return a connection to come, to an address and to nothing else; TLS asks for the name."""
    if not destination.is_tls:
        return HTTPConnection(address, destination.port, timeout=timeout_seconds)
    return HTTPSConnection(
        address,
        destination.port,
        timeout=timeout_seconds / 2,  # one half to connect, one for the handshake
        server_hostname=destination.host,
        ssl_context=_tls_context(),
    )


@cache
def _tls_context() -> ssl.SSLContext:
    """Return what trusts whom the system trusts; to read all of these takes long."""
    return ssl.create_default_context()


@contextmanager
def _cut_off(sock: Any, deadline: Deadline) -> Iterator[None]:
    """Shut a socket at the deadline: its own time-out begins anew with each byte that drips."""
    timer = Timer(deadline.left(), _shut, [sock])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # so that it shuts nothing that has the same number by then


def _shut(sock: socket) -> None:
    with suppress(OSError):
        socket.shutdown(sock, SHUT_RDWR)  # not the one of TLS, which is not for two threads
