"""Paging: lists that are as quick at the end of a million rows as at their start."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.core.paginator import Page, Paginator

if TYPE_CHECKING:
    Pages = Paginator[Any]
else:
    Pages = Paginator

#: What is further down is found by a filter: databases read through all that is above a page.
MAX_LISTED: Final = 10_000


class BoundedPaginator(Pages):
    """Pages of the first ``MAX_LISTED`` rows; nothing beyond these is counted or shown."""

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows[: MAX_LISTED + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._counted, MAX_LISTED)

    @property
    def is_cut(self) -> bool:
        """Tell whether there are more rows than are shown."""
        return self._counted > MAX_LISTED

    @property
    def max_listed(self) -> int:
        return MAX_LISTED

    def page(self, number: Any) -> Page[Any]:
        """Return a page whose rows are looked up by their keys, which an index has in order.

        What is above a page is then read from the index alone.
        """
        page = super().page(number)
        rows: Any = self.object_list
        listed: Any = page.object_list
        page.object_list = rows.filter(pk__in=list(listed.values_list("pk", flat=True)))
        return page
