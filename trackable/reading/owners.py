"""Owners: the rows of an object, in a query of the rows, and in one of the objects themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Expression, ExpressionWrapper, Func, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat, Substr

from trackable import parents

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData


class ContentTypeOf(Expression):
    """The content type of a model, in whichever database the query runs."""

    output_field = models.IntegerField()

    def __init__(self, model: type[Model]) -> None:
        super().__init__()
        self.model = model

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (parents.content_type_of(self.model, connection.alias).pk,)


def key_name(data_cls: type[TrackableData], holder: type[Model]) -> str:
    """Return the attribute of a model's objects that rows know them by."""
    field: Any = data_cls.parent_target() or holder._meta.pk
    name: str = field.attname
    return name


def outer_key(data_cls: type[TrackableData], holder: type[Model]) -> Any:
    """Return the key of the object that an outer query is at, as rows have it."""
    key = OuterRef(key_name(data_cls, holder))
    if not parents.is_generic(data_cls):
        return key
    column: Any = data_cls._meta.get_field("object_id")
    own = _own_field(holder._meta.pk)
    if _family(own) == _family(column):
        return key
    return UUIDText(key) if isinstance(own, models.UUIDField) else Cast(key, column)


def _own_field(field: Any) -> Any:
    """Return the field that a key is of, which may be a foreign key to another."""
    while field.remote_field:
        field = field.target_field
    return field


def _family(field: Any) -> Any:
    """Return what fields have in common whose columns are compared as they are."""
    families: tuple[Any, ...] = (models.IntegerField, models.CharField, models.UUIDField)
    return next((each for each in families if isinstance(field, each)), type(field))


class UUIDText(Func):
    """A UUID as a text, as Python writes it; some databases keep its digits alone."""

    arity = 1
    output_field = models.CharField(max_length=36)

    def as_sql(self, compiler: Any, connection: Any, *_: Any, **__: Any) -> Any:
        [digits] = self.get_source_expressions()
        if connection.features.has_native_uuid_field:
            return compiler.compile(Cast(digits, self.output_field))
        text = ExpressionWrapper(digits, self.output_field)
        parts = [Substr(text, *place) for place in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))]
        dashed = [each for part in parts for each in (part, Value("-"))][:-1]
        return compiler.compile(Concat(*dashed, output_field=self.output_field))


def having(data_cls: type[TrackableData], holder: type[Model], key: Any) -> Q:
    """Return the condition for the rows of one object, by its key or an expression for that."""
    if not parents.is_generic(data_cls):
        return Q(parent=key)
    return Q(content_type=ContentTypeOf(holder), object_id=key)
