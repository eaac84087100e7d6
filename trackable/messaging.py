"""Messaging: emit increments from a request, and have what was emitted folded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from trackable import conf, flusher, notices, records, sites, spiders
from trackable.amounts import times
from trackable.counters import CounterField, clean_amount, counters_of
from trackable.diversion import receivers
from trackable.exceptions import (
    BadTime,
    NotRegistered,
    TrackableError,
    UnknownField,
    UnsavedObject,
    WrongDataClass,
)
from trackable.journal import lines, writer
from trackable.periods import encode_start

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackable.models import TrackableData, TrackableRecord

logger = logging.getLogger(__name__)


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

    def _object_id(self, obj: Model) -> str:
        value = getattr(obj, self.id_attribute)
        # A default makes a key before there is a row; a key set by hand may name one.
        if value is None or (obj._state.adding and self.has_made_ids):
            raise UnsavedObject(
                f"This {self.parent} has no row yet: save it before counting on it."
            )
        return str(value)


def key_of(
    obj: Model, field_name: str, data_cls: type[TrackableData] | None = None
) -> tuple[str, str, str, str]:
    """Return the data class, model, object id and counter that an emit would write.

    Raises the ``TrackableError`` that it would raise under ``DEBUG``.
    """
    counter = _lookup(obj.__class__, field_name, data_cls, sites.changes())
    return counter.label, counter.parent, counter._object_id(obj), field_name


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
    is_spider = request is not None and _is_spider(request)
    if is_spider:
        line = lines.encode(label, "filtered", 1)
    return _append(label, line) and not is_spider


def _append(label: str, line: bytes) -> bool:
    if receivers:
        return receivers[-1].take(label, line)
    journal = writer.current()
    taken = journal.append(label, line)
    flusher.look_after(journal)
    return taken


def _is_spider(request: HttpRequest) -> bool:
    if not conf.get("USER_AGENT_FILTERING"):
        return False
    return spiders.verdict_of_request(request) is not None


@lru_cache(maxsize=4096)
def _lookup(
    model: type[Model], field_name: str, data_cls: type[TrackableData] | None, _changes: int
) -> _Counter:
    if data_cls is None:
        data_cls = _first_with(model, field_name)
    holder = _holder(model, data_cls)
    field = counters_of(data_cls)[field_name]
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


def _first_with(model: type[Model], field_name: str) -> type[TrackableData]:
    found = [cls for site in sites.all_sites() for cls in site.get_trackables(model)]
    for data_cls in found:
        if field_name in counters_of(data_cls):
            return data_cls
    if found:
        names = ", ".join(cls._meta.label for cls in found)
        raise UnknownField(f"None of {names} has a counter {field_name!r}: correct the name.")
    raise NotRegistered(
        f"{model.__qualname__} is not counted: register a data class for it in trackabledata.py."
    )


def _holder(model: type[Model], data_cls: type[TrackableData]) -> type[Model]:
    for site in sites.all_sites():
        if holder := site.holder_of(model, data_cls):
            return holder
    if any(data_cls in site.data_classes() for site in sites.all_sites()):
        raise WrongDataClass(
            f"{data_cls._meta.label} does not count for {model.__qualname__}: register it so, or"
            " pass another data class."
        )
    raise NotRegistered(f"{data_cls!r} is not registered: register it in trackabledata.py.")


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
