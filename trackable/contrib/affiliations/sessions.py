"""Sessions: the id of a visitor in the session of their browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from trackable.contrib.affiliations import conf, current

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.http import HttpRequest

#: what a session without a visitor has, as nothing in it is this
NOTHING: Final[Any] = object()
CONVERSION: Final = "_affiliate_conversion"


@dataclass(slots=True, eq=False)
class _Conversion:
    """A visitor who was taken out of the session, and whether that is for good."""

    visitor_id: int
    connection: BaseDatabaseWrapper
    is_committed: bool = False

    def commit(self) -> None:
        self.is_committed = True

    @property
    def is_rolled_back(self) -> bool:
        return not (self.is_committed or self.connection.in_atomic_block)


def has_one(request: HttpRequest) -> bool:
    """Tell whether there is a session to keep a visitor in."""
    return getattr(request, "session", None) is not None


def value_of(request: HttpRequest) -> Any:
    """Return what the session has where a visitor's id should be, or ``NOTHING``."""
    if not has_one(request):
        return NOTHING
    return request.session.get(conf.get("SESSION_KEY"), NOTHING)


def remember(request: HttpRequest, visitor_id: int) -> None:
    """Keep a visitor's id in the session, which there must be."""
    request.session[conf.get("SESSION_KEY")] = visitor_id


def forget(request: HttpRequest) -> None:
    """Take the visitor out of the session, if one is in it."""
    if value_of(request) is not NOTHING:
        del request.session[conf.get("SESSION_KEY")]


def forget_converted(request: HttpRequest, visitor_id: int, *, using: str) -> None:
    """Take out a visitor who converts in the transaction at hand; ``settle`` looks after it."""
    holder = current.request() or request  # a wrapper is not at hand
    conversion: _Conversion | None = holder.__dict__.get(CONVERSION)
    if value_of(request) is not NOTHING:
        forget(request)
        conversion = _Conversion(visitor_id, transaction.get_connection(using))
        setattr(holder, CONVERSION, conversion)
    if conversion is not None and conversion.visitor_id == visitor_id:
        # Of an earlier try as well, which may have been rolled back.
        transaction.on_commit(conversion.commit, using=using, robust=True)


def settle(request: HttpRequest) -> None:
    """Put a visitor back whose conversion was rolled back with the request. Runs no SQL."""
    conversion = request.__dict__.pop(CONVERSION, None)
    if conversion is not None and conversion.is_rolled_back:
        remember(request, conversion.visitor_id)
