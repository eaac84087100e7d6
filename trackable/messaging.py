"""Messaging: emit increments from a request, and have what was emitted folded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from trackable import conf, filtering, flusher, notices, records, sites, spiders
from trackable.amounts import times
from trackable.counters import CounterField, clean_amount, counters_of
from trackable.diversion import receivers
from trackable.exceptions import (
    BadTime,
    NotRegistered,
    TrackableError,
    UnknownField,
    UnsavedObject,
)
from trackable.journal import lines, writer
from trackable.periods import encode_start
from trackable.uniques.fields import uniques_of
from trackable.uniques.pseudonyms import field_cell

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model
    from django.http import HttpRequest

    from trackable.models import TrackableData, TrackableRecord

logger = logging.getLogger(__name__)

FieldsOf = Callable[["type[TrackableData]"], Mapping[str, Any]]


def send_increment_message(
    request: HttpRequest | None,
    obj: Model,
    field_name: str,
    data_cls: type[TrackableData] | None = None,
    options: Mapping[str, Any] | None = None,
) -> bool:
    """Emit an increment of an object's counter; it is counted at the next fold.

    Without ``data_cls`` it goes to the first registered data class of the object that has the
    field. ``options["value"]`` is the amount (1) and ``options["when"]`` an aware datetime
    (now). Returns ``True`` once the journal has it: then it will be counted, once. ``False``
    means that it was filtered as a crawler's or, logged, could not be taken.

    Raises a ``TrackableError`` for errors of the program with ``DEBUG`` on, and in tests with an
    outbox; else logs each cause once. Runs no SQL and opens no socket.
    """
    return _emit(request, obj, field_name, data_cls, options or {}, 1)


def send_decrement_message(
    request: HttpRequest | None,
    obj: Model,
    field_name: str,
    data_cls: type[TrackableData] | None = None,
    options: Mapping[str, Any] | None = None,
) -> bool:
    """Emit a decrement: ``send_increment_message`` downwards. Positive fields stop at zero."""
    return _emit(request, obj, field_name, data_cls, options or {}, -1)


def send_record(
    request: HttpRequest | None, record_cls: type[TrackableRecord], values: Mapping[str, Any]
) -> bool:
    """Emit a row of a record class; it is written, once, by the next fold.

    ``values`` are what JSON can hold, up to ``records.MAX_LENGTH`` characters of it. Returns and
    raises what ``send_increment_message`` does.
    """
    label = record_cls._meta.label
    try:
        line = lines.encode_once(*records.cells_of(label, values))
        return _append_unless_spider(request, label, line)
    except Exception as error:
        return _refuse(error)


def tally_filtered(data_cls: type[TrackableData | TrackableRecord], number: int = 1) -> bool:
    """Have hits that are not to be counted told of, as those of crawlers are.

    Returns ``True`` once the journal has it. Runs no SQL and opens no socket.
    """
    label = data_cls._meta.label
    try:
        return _append(label, lines.encode(label, "filtered", number))
    except Exception as error:
        return _refuse(error)


def send_unique_message(
    request: HttpRequest | None,
    obj: Model,
    field_name: str,
    key: str | bytes | int | UUID | None = None,
    data_cls: type[TrackableData] | None = None,
    options: Mapping[str, Any] | None = None,
) -> bool:
    """Emit that a visitor was here: one for an object's ``UniqueCount``, however often they come.

    ``key`` tells the visitor from others; without one it is ``uniques.visitor_key`` of the
    request. It is hashed at once. ``options["when"]`` is an aware datetime (now). Else as
    ``send_increment_message``.
    """
    try:
        counter = _lookup(obj.__class__, field_name, data_cls, sites.changes(), uniques_of)
        line = counter.line_of_visitor(obj, options or {}, field_cell(field_name, key, request))
        return _append_unless_spider(request, counter.label, line)
    except Exception as error:
        return _refuse(error)


def process_messages(
    data_cls: type[TrackableData | TrackableRecord] | None = None, max_messages: int | None = None
) -> int:
    """Ship what waits on this machine, fold, and return the number of increments folded.

    ``data_cls`` restricts it to one data class, ``max_messages`` to so many batches. Raises
    ``BrokerUnavailable``, and what Django raises when the database fails: nothing is lost
    then. Not to be called in a transaction (``RuntimeError``).
    """
    from trackable.folding.collect import collect

    return collect([data_cls] if data_cls else None, max_batches=max_messages).increments


@dataclass(frozen=True, slots=True)
class _Counter:
    """What is known of a counter before an object is: looked up once."""

    label: str
    parent: str
    id_attribute: str
    #: whether objects have an id before they have a row
    has_made_ids: bool
    period: str | None
    field: CounterField

    def line(self, obj: Model, options: Mapping[str, Any], sign: int) -> bytes:
        amount = times(clean_amount(self.field, options.get("value", 1)), sign)
        cell = f"{amount:f}" if isinstance(amount, Decimal) else amount
        start = encode_start(self.period, _moment(options) if "when" in options else None)
        return lines.encode(
            self.label, self.parent, self._object_id(obj), start, self.field.name, cell
        )

    def line_of_visitor(self, obj: Model, options: Mapping[str, Any], cell: str) -> bytes:
        start = encode_start(self.period, _moment(options) if "when" in options else None)
        object_id = self._object_id(obj)
        return lines.encode_once(self.label, self.parent, object_id, start, cell, 1)

    def _object_id(self, obj: Model) -> str:
        value = getattr(obj, self.id_attribute)
        # A default makes a key before there is a row; a key set by hand may name one.
        if value is None or (obj._state.adding and self.has_made_ids):
            raise UnsavedObject(
                f"This {self.parent} has no row yet: save it before counting on it."
            )
        return str(value)


def key_of(
    obj: Model,
    field_name: str,
    data_cls: type[TrackableData] | None = None,
    fields_of: FieldsOf = counters_of,
) -> tuple[str, str, str, str]:
    """Return the data class, model, object id and counter that an emit would write.

    With ``uniques_of`` an emit of a visitor. Raises the ``TrackableError`` that it would raise
    under ``DEBUG``.
    """
    counter = _lookup(obj.__class__, field_name, data_cls, sites.changes(), fields_of)
    return counter.label, counter.parent, counter._object_id(obj), field_name


def stand_in(
    model: type[Model],
    object_id: str,
    field_name: str,
    data_cls: type[TrackableData],
    fields_of: FieldsOf = counters_of,
) -> Model:
    """Return an object that emits take for the one with this id, as ``key_of`` told it.

    Nothing but its id is loaded, and that is text. Runs no SQL. Raises what ``key_of`` raises.
    """
    counter = _lookup(model, field_name, data_cls, sites.changes(), fields_of)
    return model.from_db(None, [counter.id_attribute], [object_id])


def _emit(
    request: HttpRequest | None,
    obj: Model,
    field_name: str,
    data_cls: type[TrackableData] | None,
    options: Mapping[str, Any],
    sign: int,
) -> bool:
    try:
        counter = _lookup(obj.__class__, field_name, data_cls, sites.changes())
        line = counter.line(obj, options, sign)
        return _append_unless_spider(request, counter.label, line)
    except Exception as error:
        return _refuse(error)


def _refuse(error: Exception) -> bool:
    """Return that nothing was taken, at the edge of the request.

    An error of the program shows in development, and whatever is wrong in production, the
    visitor gets the page.
    """
    if isinstance(error, TrackableError) and (settings.DEBUG or receivers):
        raise error
    _log_once(error)
    return False


def _append_unless_spider(request: HttpRequest | None, label: str, line: bytes) -> bool:
    pattern = None if request is None else _spider_pattern(request)
    if pattern is None:
        return _append(label, line)
    _append(label, lines.encode(label, "filtered", 1))
    _append(filtering.LABEL, filtering.line_of(pattern))
    return False


def _append(label: str, line: bytes) -> bool:
    if receivers:
        return receivers[-1].take(label, line)
    journal = writer.current()
    taken = journal.append(label, line)
    flusher.look_after(journal)
    return taken


def _spider_pattern(request: HttpRequest) -> str | None:
    if not conf.get("USER_AGENT_FILTERING"):
        return None
    return spiders.verdict_of_request(request)


@lru_cache(maxsize=4096)
def _lookup(
    model: type[Model],
    field_name: str,
    data_cls: type[TrackableData] | None,
    _changes: int,
    fields_of: FieldsOf = counters_of,
) -> _Counter:
    if data_cls is None:
        data_cls = _first_with(model, field_name, fields_of)
    holder = sites.holder_of(model, data_cls)
    field = fields_of(data_cls)[field_name]
    target = data_cls.parent_target()
    id_attribute = (target or holder._meta.pk).attname
    parent = holder._meta.concrete_model or holder
    key = model._meta.pk
    has_made_ids = key.has_default() or key.has_db_default()
    return _Counter(
        data_cls._meta.label,
        parent._meta.label,
        id_attribute,
        has_made_ids,
        data_cls.period,
        field,
    )


def _first_with(model: type[Model], field_name: str, fields_of: FieldsOf) -> type[TrackableData]:
    found = sites.data_classes_of(model)
    for kind in (fields_of, counters_of, uniques_of):  # of another kind it tells how to emit
        for data_cls in found:
            if field_name in kind(data_cls):
                return data_cls
    if found:
        names = ", ".join(cls._meta.label for cls in found)
        raise UnknownField(f"None of {names} has a counter {field_name!r}: correct the name.")
    raise NotRegistered(
        f"{model.__qualname__} is not counted: register a data class for it in trackabledata.py."
    )


def _moment(options: Mapping[str, Any]) -> datetime | None:
    when = options["when"]
    if when is None:
        return None
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise BadTime(f"{str(when)[:80]!r} is no aware datetime: pass one with a time zone.")
    return when


def _log_once(error: Exception) -> None:
    cause = f"{type(error).__name__}: {error}"[:500]
    if notices.is_news(cause):
        logger.error("An increment was not counted. %s", ascii(cause))
