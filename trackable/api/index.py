"""The index: which data classes there are, and where their counts can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse

from trackable.api import permissions, subjects
from trackable.api.answers import Answer
from trackable.api.paging import page_of
from trackable.counters import counters_of

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackable.models import TrackableData

#: What numbers are, by their columns; those of any other are integers.
KINDS: Final = {"DecimalField": "decimal", "FloatField": "float"}


def index(request: HttpRequest, sent: Mapping[str, Any]) -> Answer:
    """Return the data classes that the caller may see, a page of them."""
    found = visible(request)
    page = page_of(sent)
    links = page.links(request, len(found))
    results = [_described(data_cls, models) for data_cls, models in page.of(found)]
    rows = [
        [each["data_class"], each["period"], model, field["name"], field["kind"]]
        for each in results
        for model in each["models"]
        for field in each["fields"]
    ]
    header = ["data_class", "period", "model", "field", "kind"]
    return Answer({"results": results, **page.members(links)}, header, rows, links)


def visible(request: HttpRequest) -> list[tuple[type[TrackableData], list[type[Model]]]]:
    """Return the data classes, with those of their models, whose counts the caller may see."""
    found = []
    for data_cls in subjects.data_classes().values():
        models = permissions.visible(request, data_cls, subjects.models_of(data_cls))
        if models:
            found.append((data_cls, models))
    return found


def _described(data_cls: type[TrackableData], models: Iterable[type[Model]]) -> dict[str, Any]:
    return {
        "data_class": data_cls._meta.label,
        "period": data_cls.period,
        "models": subjects.labels_of(models),
        "fields": [_field(data_cls, name) for name in subjects.fields_of(data_cls)],
    }


def _field(data_cls: type[TrackableData], name: str) -> dict[str, Any]:
    counter = counters_of(data_cls).get(name)
    kind = "unique" if counter is None else KINDS.get(counter.get_internal_type(), "integer")
    kwargs = {"data_class": data_cls._meta.label, "field": name}
    has = {"series": data_cls.period is not None, "total": True, "top": counter is not None}
    urls = {
        operation: reverse(f"trackable_api:{operation}", kwargs=kwargs) if is_there else None
        for operation, is_there in has.items()
    }
    return {"name": name, "kind": kind, **urls}
