"""Subjects: the data classes, models and objects that a request names, and may name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.db import router

from trackable import parents, sites
from trackable.api import permissions
from trackable.api.problems import absent, unfit
from trackable.checks.registry import key_of
from trackable.counters import counts_of
from trackable.querysets import TrackableQuerySet, queryset_of
from trackable.uniques.fields import uniques_of

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackable.models import TrackableData


@dataclass(frozen=True, slots=True)
class Subject:
    """A field of a data class, and the model whose objects are asked about, if that is named."""

    data_cls: type[TrackableData]
    field: str
    model: type[Model] | None = None

    @property
    def models(self) -> list[type[Model]]:
        """The models whose objects are asked about."""
        return models_of(self.data_cls) if self.model is None else [self.model]

    @property
    def is_unique(self) -> bool:
        """Whether it is a distinct count, whose values are estimates."""
        return self.field in uniques_of(self.data_cls)

    @property
    def members(self) -> dict[str, Any]:
        """What answers say of it."""
        return {
            "data_class": self.data_cls._meta.label,
            "field": self.field,
            "model": self.model and self.model._meta.label,
            "is_estimate": self.is_unique,
        }

    def rows(self) -> TrackableQuerySet[Any]:
        """Return the rows that count for it."""
        rows = queryset_of(self.data_cls)
        if self.model is None or not parents.is_generic(self.data_cls):
            return rows
        return rows.filter(content_type=parents.content_type_of(self.model, rows.db))


def data_classes() -> dict[str, type[TrackableData]]:
    """Return every registered data class by its label, in the order of the labels."""
    found = {cls._meta.label: cls for site in sites.all_sites() for cls in site.data_classes()}
    return dict(sorted(found.items()))


def models_of(data_cls: type[TrackableData]) -> list[type[Model]]:
    """Return the models that a data class is registered for."""
    found = [model for site in sites.all_sites() for model in site.get_parents(data_cls)]
    return list(dict.fromkeys(found))


def fields_of(data_cls: type[TrackableData]) -> list[str]:
    """Return the names of what a data class counts."""
    return list(counts_of(data_cls))


def find(sent: Mapping[str, Any]) -> Subject:
    """Return what a request asks about. Raises ``Problem``."""
    data_cls = data_classes().get(sent["data_class"])
    if data_cls is None:
        raise absent("data_class", "There is no such data class: the index has those there are.")
    fields = fields_of(data_cls)
    if sent["field"] not in fields:
        raise absent("field", f"There is no such field: use one of {', '.join(fields)}.")
    named = [m for m in models_of(data_cls) if m._meta.label == sent["model"]]
    if sent["model"] is not None and not named:
        raise absent("model", f"It does not count for that: use one of {_labels(data_cls)}.")
    return Subject(data_cls, sent["field"], *named)


def find_all(request: HttpRequest, sent: Mapping[str, Any]) -> Subject:
    """Return what a request asks about, of all objects. Raises ``Problem``."""
    subject = find(sent)
    permissions.require(request, subject.data_cls, subject.models)
    return subject


def find_objects(
    request: HttpRequest, sent: Mapping[str, Any], keys: Sequence[str]
) -> tuple[Subject, dict[str, Model]]:
    """Return what a request asks about, and the objects that there are by their keys as sent.

    Raises ``Problem``: also if the caller may see only some of them.
    """
    subject = find(sent)
    if len(subject.models) != 1:
        raise unfit("model", f"Name the object's model: one of {_labels(subject.data_cls)}.")
    [model] = subject.models
    objects = _objects_of(model, keys)
    for key in keys:
        # Whether there is an object is told only to those who may see what is counted for all.
        permissions.require(request, subject.data_cls, [model], objects.get(key))
    return replace(subject, model=model), objects


def _objects_of(model: type[Model], keys: Iterable[str]) -> dict[str, Model]:
    """Find objects by equal keys, with one query: some databases take ``A`` for ``a``."""
    field = key_of(model)
    converted = {key: parents.converted(field, key) for key in keys}
    wanted = {value for value in converted.values() if value is not None}
    objects = model._default_manager.using(router.db_for_read(model))
    found = objects.in_bulk(wanted) if wanted else {}
    return {key: found[value] for key, value in converted.items() if value in found}


def labels_of(models: Iterable[type[Model]]) -> list[str]:
    """Return the labels of models."""
    return [model._meta.label for model in models]


def _labels(data_cls: type[TrackableData]) -> str:
    return ", ".join(labels_of(models_of(data_cls)))


def shown(obj: Model) -> dict[str, str]:
    """Return an object as answers have it."""
    return {"model": obj._meta.label, "id": str(obj.pk), "text": str(obj)}
