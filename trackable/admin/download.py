"""Download: the counts of an object as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.text import slugify

from trackable.export import guarded

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.admin.counts import Statistics


class _Echo:
    """What the CSV writer writes to: it hands each line on."""

    def write(self, text: str) -> str:
        return text


def download(obj: Model, found: Statistics) -> HttpResponseBase:
    """Return the counts of an object as CSV."""
    name = "-".join([obj._meta.model_name or "", slugify(str(obj.pk))[:50] or "object"])
    lines = (str(csv.writer(_Echo()).writerow(map(guarded, cells))) for cells in _cells(found))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _cells(found: Statistics) -> Iterator[Iterable[Any]]:
    names = [column.name for column in found.columns]
    if found.step is None:
        yield names
        yield [column.total for column in found.columns]
        return
    yield ["start", "end", *names]
    for start, end, values in found.lines():
        yield [start.isoformat(), end.isoformat(), *values]
