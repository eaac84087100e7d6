"""Template tags: a total, a chart, and the objects of which most was counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from django import template
from django.apps import apps
from django.conf import settings
from django.template.base import render_value_in_context
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from trackable import notices
from trackable.charts import bar_chart
from trackable.counters import Amount
from trackable.exceptions import NotRegistered, TrackableError
from trackable.reading.objects import data_class_of, rows_of, series_of, total_of
from trackable.reading.popularity import popular
from trackable.uniques.fields import uniques_of

if TYPE_CHECKING:
    from django.db.models import Model

logger = logging.getLogger(__name__)

register = template.Library()

POPULAR: Final = "trackable/popular.html"

P = ParamSpec("P")
R = TypeVar("R")
Show = Callable[[template.Context, Any], str]


def _or(nothing: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a tag return this for a mistake, and log it once an hour; under ``DEBUG`` it raises."""

    def decorate(tag: Callable[P, R]) -> Callable[P, R]:
        @wraps(tag)
        def forgiving(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return tag(*args, **kwargs)
            except TrackableError as error:
                if settings.DEBUG:
                    raise
                cause = ascii(f"{tag.__name__}: {type(error).__name__}: {error}"[:500])
                if notices.is_news(cause):
                    logger.error("A template shows nothing in place of a count. %s", cause)
                return nothing  # type: ignore[no-any-return]

        return forgiving

    return decorate


def _shown_by(show: Show) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a tag whose result goes to the variable after ``as``, or else is shown."""

    def decorate(tag: Callable[P, R]) -> Callable[P, R]:
        library = template.Library()
        library.simple_tag(tag)
        [(name, compile_simply)] = library.tags.items()
        register.tag(name, lambda parser, token: ShownNode(compile_simply(parser, token), show))
        return tag

    return decorate


class ShownNode(template.Node):
    """A simple tag, whose result is shown in a way of its own where it has no variable."""

    def __init__(self, simple: Any, show: Show) -> None:
        self.simple = simple
        self.show = show

    def render(self, context: template.Context) -> str:
        if self.simple.target_var is not None:
            return str(self.simple.render(context))
        args, kwargs = self.simple.get_resolved_arguments(context)
        return self.show(context, self.simple.func(*args, **kwargs))


def _as_variable(context: template.Context, value: Any) -> str:
    """Show a number as ``{{ number }}`` would."""
    return render_value_in_context(value, context)


def _as_list(context: template.Context, objects: list[Any]) -> str:
    engine: Any = context.template.engine  # type: ignore[union-attr]
    with context.push(objects=objects):
        return str(engine.get_template(POPULAR).render(context))


@_shown_by(_as_variable)
@_or("")
def trackable_total(
    obj: Model, field: str, *, days: int | None = None, data_cls: Any = None
) -> Amount:
    """Return a total: ``{% trackable_total page "views" days=7 %}``, or ``... as total``.

    Of the last ``days``, today among them, or of all time. ``data_cls`` is a label; without it,
    it is the first registered data class that has the field.
    """
    return total_of(obj, field, days=days, data_cls=data_cls)


@register.simple_tag
@_or(SafeString(""))
def trackable_chart(
    obj: Model,
    field: str,
    *,
    days: int | None = 30,
    by: str | None = None,
    title: str | None = None,
    height: int = 200,
    data_cls: Any = None,
) -> SafeString:
    """Return a chart of the last ``days``: ``{% trackable_chart page "views" days=90 %}``.

    ``by`` is the step, by default the period of the data class.
    """
    chosen: Any = rows_of(obj, field, data_cls=data_cls, has_time=True).model
    points = series_of(obj, field, days=days, by=by, data_cls=chosen)
    name = title or capfirst(str(chosen._meta.get_field(field).verbose_name))
    return bar_chart(points, title=name, height=height, adds_up=field not in uniques_of(chosen))


@_shown_by(_as_list)
@_or([])
def trackable_popular(
    model: str, field: str, *, days: int | None = 7, limit: int = 10, data_cls: Any = None
) -> list[Any]:
    """Return the objects of which most was counted: ``{% trackable_popular "app.Page" "views" %}``.

    Each has its ``popularity``. With ``as pages`` they go to a variable, else to
    ``trackable/popular.html``.
    """
    counted = _model_named(model)
    chosen = data_class_of(counted, field, data_cls, has_time=days is not None)
    found = popular(counted, field, days=days, data_cls=chosen)[:limit]
    return [obj for obj in found if obj.popularity > 0]


def _model_named(label: str) -> type[Model]:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError, AttributeError) as error:
        raise NotRegistered(f"There is no model {label!a:.80}: name it as 'app.Model'.") from error
