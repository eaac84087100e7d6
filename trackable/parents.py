"""Parents: the objects that rows count for, found in bulk, whatever kind of key they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models, router
from django.db.models import Q, QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from trackable import sites

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData


@dataclass(frozen=True, slots=True)
class Parent:
    """What a row counts for: ``obj`` is ``None`` where that is gone."""

    text: str
    obj: Model | None = None


def is_generic(data_cls: type[TrackableData]) -> bool:
    """Tell whether the rows have a generic relation, not a foreign key, to their parents."""
    return data_cls.parent_target() is None


def models_of(data_cls: type[TrackableData]) -> list[type[Model]]:
    """Return the models that a data class counts for, in any registry, those with tables."""
    if not is_generic(data_cls):
        return [_parent_key(data_cls).related_model]
    found = [model for site in sites.all_sites() for model in site.get_parents(data_cls)]
    return list(dict.fromkeys(model._meta.concrete_model or model for model in found))


def owner_columns(data_cls: type[TrackableData]) -> list[str]:
    """Return the columns that tell the object of a row."""
    return ["content_type_id", "object_id"] if is_generic(data_cls) else ["parent_id"]


def objects_of(
    data_cls: type[TrackableData], keys: Iterable[tuple[Any, ...]], alias: str
) -> dict[tuple[Any, ...], Model]:
    """Return the objects by the values of their ``owner_columns``, those that are not gone.

    One query for each model, by its default manager.
    """
    target = data_cls.parent_target()
    if target is not None:
        found = target.model._default_manager.using(alias).in_bulk(
            [key for (key,) in keys], field_name=target.attname
        )
        return {(key,): obj for key, obj in found.items()}
    ids: dict[int, list[Any]] = defaultdict(list)
    for type_id, object_id in keys:
        ids[type_id].append(object_id)
    manager = ContentType.objects.db_manager(alias)
    models_of_ids = {type_id: manager.get_for_id(type_id).model_class() for type_id in ids}
    return {
        (type_id, object_id): obj
        for type_id, model in models_of_ids.items()
        for object_id, obj in _objects(model, ids[type_id], "_default_manager").items()
    }


def content_type_of(model: type[Model], alias: str) -> ContentType:
    """Return the content type of a model in the database that its counts are in."""
    return ContentType.objects.db_manager(alias).get_for_model(model)


def text_fields(model: type[Model]) -> list[str]:
    """Return the names of the fields of a model that people search for words."""
    texts = (models.CharField, models.TextField)
    fields = [field for field in model._meta.concrete_fields if isinstance(field, texts)]
    return [field.name for field in fields if field.name != "password"]


def keys_of(data_cls: type[TrackableData], objects: QuerySet[Any], limit: int) -> list[Any]:
    """Return what rows know objects by, of at most so many of them."""
    target = data_cls.parent_target()
    name = "pk" if target is None else target.attname
    return list(objects.order_by().values_list(name, flat=True).distinct()[:limit])


def rows_of(data_cls: type[TrackableData], model: type[Model], keys: Iterable[Any]) -> Q:
    """Return the condition for the rows that count for a model's objects with these keys.

    What cannot be a key of theirs is passed over.
    """
    field: Any = data_cls.parent_target() or data_cls._meta.get_field("object_id")
    cleaned = [value for key in keys if (value := converted(field, key)) is not None]
    if not is_generic(data_cls):
        return Q(parent__in=cleaned)
    alias = router.db_for_read(data_cls)
    return Q(content_type=content_type_of(model, alias), object_id__in=cleaned)


def _parent_key(data_cls: type[TrackableData]) -> Any:
    return data_cls._meta.get_field("parent")


def find(rows: Sequence[TrackableData]) -> dict[Any, Parent]:
    """Return the parents by the primary keys of their rows: one query for each model.

    Rows with a foreign key bring their parents along: select these with them.
    """
    if rows and not is_generic(type(rows[0])):
        return {row.pk: _referred(row) for row in rows}
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.content_type_id].append(row)
    found: dict[Any, Parent] = {}
    for content_type_id, group in groups.items():
        manager = ContentType.objects.db_manager(group[0]._state.db)
        found |= _find_of_type(manager.get_for_id(content_type_id), group)
    return found


def _referred(row: Any) -> Parent:
    try:
        return Parent(str(row.parent), row.parent)
    except ObjectDoesNotExist:  # a foreign key without a constraint
        name = _parent_key(type(row)).related_model._meta.verbose_name
        return _gone(name, row.parent_id)


def _find_of_type(content_type: ContentType, rows: Sequence[Any]) -> dict[Any, Parent]:
    model = content_type.model_class()
    if model is None:  # the app is gone, or was renamed
        return {row.pk: _gone(content_type.model, row.object_id) for row in rows}
    objects = _objects(model, {row.object_id for row in rows}, "_base_manager")
    return {
        row.pk: Parent(str(obj), obj)
        if (obj := objects.get(row.object_id)) is not None
        else _gone(model._meta.verbose_name, row.object_id)
        for row in rows
    }


def _objects(model: Any, ids: Iterable[Any], manager: str) -> dict[Any, Model]:
    """Return the objects that there are by what rows know them by, from a manager of the model."""
    if model is None:  # the app is gone, or was renamed
        return {}
    keys = {object_id: converted(model._meta.pk, object_id) for object_id in ids}
    objects = getattr(model, manager).using(router.db_for_read(model))
    found = objects.in_bulk({key for key in keys.values() if key is not None})
    return {object_id: found[key] for object_id, key in keys.items() if key in found}


def _gone(model_name: Any, object_id: Any) -> Parent:
    values = {"model": capfirst(str(model_name)), "id": object_id}
    return Parent(_("%(model)s %(id)s (gone)") % values)


def converted(field: Any, value: Any) -> Any:
    """Return a key as a field's own type, or ``None`` for what cannot be one."""
    try:
        key = field.to_python(value)
        field.run_validators(key)
        return key
    except (ValidationError, ValueError, TypeError, OverflowError):
        return None
