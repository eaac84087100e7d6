"""Requests that know their visitor: read from the session when it is asked for, and not before."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.utils.functional import cached_property

from trackable.contrib.affiliations import visitors

if TYPE_CHECKING:
    from django.http import HttpRequest

    from trackable.contrib.affiliations.models import Visitor

    Base = HttpRequest
else:
    Base = object


class KnowsVisitor(Base):
    """Gives a class of requests ``affiliate_visitor``, which may be set as well.

    A property, as what is lazy in another way is not ``None`` where there is nobody.
    """

    @cached_property
    def affiliate_visitor(self) -> Visitor | None:
        """The visitor that the session names, or ``None``."""
        try:
            return visitors.of_session(self)
        except SynchronousOnlyOperation as error:
            raise SynchronousOnlyOperation(
                "In asynchronous code, 'await request.aaffiliate_visitor()' before the visitor is"
                " read without."
            ) from error

    async def aaffiliate_visitor(self) -> Visitor | None:
        """Return ``affiliate_visitor``; from then on it is known."""
        return await sync_to_async(lambda: self.affiliate_visitor)()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copy and pickle by the class that the request came with: this one has no name."""
        reduced: Any = super().__reduce_ex__(protocol)
        return (_new, (type(self).__bases__[1],), *reduced[2:])


def know_visitor(request: HttpRequest) -> None:
    """Have a request know its visitor. Reads nothing."""
    cls: Any = type(request)
    if not issubclass(cls, KnowsVisitor):
        request.__class__ = _class_of(cls)


@cache
def _class_of(cls: Any) -> Any:
    body = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    return type(cls.__name__, (KnowsVisitor, cls), body)


def _new(cls: Any) -> Any:
    made = _class_of(cls)
    return made.__new__(made)
