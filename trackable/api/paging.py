"""Paging: parts of lists, with links to the parts before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.encoding import escape_uri_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list: so many to a page, the first one is 1."""

    number: int
    limit: int

    @property
    def first(self) -> int:
        """The place of its first one, from 0 on."""
        return (self.number - 1) * self.limit

    @property
    def end(self) -> int:
        """The place after that of its last one."""
        return self.first + self.limit

    def of(self, listed: Sequence[Any]) -> Sequence[Any]:
        """Return what is on the page."""
        return listed[self.first : self.end]

    def links(self, request: HttpRequest, number: int) -> dict[str, str]:
        """Return the URLs of the pages before and after, as far as ``number`` are listed."""
        found = {}
        if self.end < number:
            found["next"] = self._url(request, self.number + 1)
        if self.number > 1:
            found["previous"] = self._url(request, self.number - 1)
        return found

    def members(self, links: Mapping[str, str]) -> dict[str, Any]:
        """Return what an answer says of its page."""
        both = {name: links.get(name) for name in ("next", "previous")}
        return {"page": self.number, "limit": self.limit, **both}

    def _url(self, request: HttpRequest, number: int) -> str:
        query = request.GET.copy()
        query["page"] = str(number)
        return f"{escape_uri_path(request.path)}?{query.urlencode()}"


def page_of(sent: Mapping[str, Any]) -> Page:
    """Return the page that a request asks for."""
    return Page(sent["page"], sent["limit"])
