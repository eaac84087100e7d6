"""Attempts: one exchange each, and the end of the time that it has for all of it.

The time-out of a socket begins anew with each byte, so one that drips would hold its reader for
ever. urllib3's connections say here what they do, in the thread that asks them.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Attempt:
    """Shuts the sockets of an exchange after so many seconds; to be used in a ``with``."""

    def __init__(self, seconds: float) -> None:
        #: A request may have gone out, at least a part of it.
        self.is_sent = False
        self.is_cut_off = False
        self._lock = threading.Lock()
        self._is_over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut_off)
        self._timer.daemon = True

    def __enter__(self) -> Attempt:
        _here.attempt = self
        with suppress(RuntimeError):  # no thread can be started: the sockets' time-outs are left
            self._timer.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        _here.attempt = None
        self.end()

    def watch(self, found: Any) -> None:
        """Have a socket shut when the time is over.

        By a number of its own: that of the connection may be another one's by then, and TLS takes
        the socket away from who has made it.
        """
        with self._lock:
            if self._is_over:
                return
            twin = socket.socket(fileno=socket.dup(found.fileno()))
            self._sockets.append(twin)
            if self.is_cut_off:
                _shut(twin)

    def end(self) -> None:
        """Shut nothing from now on: the connection may be another exchange's."""
        self._timer.cancel()
        with self._lock:
            self._is_over = True
            while self._sockets:
                self._sockets.pop().close()

    def _cut_off(self) -> None:
        with self._lock:
            if not self._is_over:
                self.is_cut_off = True
                for each in self._sockets:
                    _shut(each)


def _shut(found: socket.socket) -> None:
    with suppress(OSError):
        found.shutdown(socket.SHUT_RDWR)


_here = threading.local()


def current() -> Attempt | None:
    """Return the attempt of this thread."""
    return getattr(_here, "attempt", None)


class _Watched:
    """What connections say of themselves: which socket they have, and that a request goes out."""

    def _new_conn(self) -> Any:
        made = super()._new_conn()  # type: ignore[misc]
        if (attempt := current()) is not None:
            attempt.watch(made)
        return made

    def request(self, *args: Any, **kwargs: Any) -> None:
        if (attempt := current()) is not None:
            attempt.is_sent = True
            if (kept := self.sock) is not None:  # type: ignore[attr-defined]
                attempt.watch(kept)
        super().request(*args, **kwargs)  # type: ignore[misc]


class _Ending:
    """What gives a connection back, once nobody is going to shut it."""

    def _put_conn(self, conn: Any) -> None:
        if (attempt := current()) is not None:
            attempt.end()
        super()._put_conn(conn)  # type: ignore[misc]


class _Connection(_Watched, HTTPConnection):
    pass


class _TlsConnection(_Watched, HTTPSConnection):
    pass


class _Pool(_Ending, HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(_Ending, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


#: scheme -> what keeps connections to one host
POOLS: Final[dict[str, Any]] = {"http": _Pool, "https": _TlsPool}
