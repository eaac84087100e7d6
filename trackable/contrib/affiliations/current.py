"""The request at hand: found by whatever runs for it, without being passed.

Threads of asgiref's, in which Django runs synchronous code of asynchronous requests, see it too;
threads that are started by hand do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.http import HttpRequest

_request: Final[ContextVar[HttpRequest | None]] = ContextVar("affiliate_request", default=None)


def request() -> HttpRequest | None:
    """Return the request that this code runs for, ``None`` outside of the middleware."""
    return _request.get()


@contextmanager
def serving(request: HttpRequest) -> Iterator[None]:
    """Have a request at hand; then again the one of before, as tests make one in another."""
    before = _request.get()
    _request.set(request)
    try:
        yield
    finally:
        _request.set(before)  # no token: asgiref may have copied the context meanwhile
