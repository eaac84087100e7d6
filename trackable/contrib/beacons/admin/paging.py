"""Lists of beacons, in orders that an index has."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest


class BoundedChangeList(ChangeList):
    """A list in the order of an index, whose page is looked at once as a whole."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Return an order that an index has: of one column, and of the keys in its direction."""
        first: Any = super().get_ordering(request, queryset)[0]
        return [first] if first == "-pk" else [first, "-pk" if first.startswith("-") else "pk"]

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.paginator.is_cut:
            # Where these differ, the search tells of a number of results, which nobody knows.
            self.full_result_count = self.result_count
        self.model_admin.attach(request, self.result_list)  # type: ignore[attr-defined]
