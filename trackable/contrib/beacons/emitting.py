"""Emitting: what a beacon says, sent out of band or, with ``BEACON_SYNCHRONOUS``, written."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import router, transaction

from trackable import conf as core
from trackable import messaging, notices, records, spiders
from trackable.contrib.beacons import arrivals, conf, counting, entities
from trackable.contrib.beacons.models import Beacon
from trackable.exceptions import BadRecord, TrackableError

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

logger = logging.getLogger(__name__)


def record(
    request: HttpRequest,
    *,
    target: Model | None = None,
    source: Model | None = None,
    entity_type: type[Model] | None = None,
    entity_id: Any = None,
) -> bool:
    """Record a visit and count it, unless it is a crawler's, which is told of as filtered.

    Returns ``False`` if there will be no beacon, by what is known now: its entity cannot be
    made, it is too long, or it cannot be written. That is logged, each cause once an hour. What
    the journal cannot take is logged by ``send_record``.
    """
    if _is_crawler(request):
        messaging.tally_filtered(Beacon)
        counting.count(request, target=target, source=source)
        return True
    try:
        values = _values_of(request, target, source, entity_type, entity_id)
        # Asked now: send_record does not tell what it refuses from what the journal does.
        cells = records.cells_of(Beacon._meta.label, values)
    except Exception as error:  # an entity is a project's own code
        _report(error, Beacon if entity_type is None else entity_type)
        return False
    if conf.get("BEACON_SYNCHRONOUS"):
        is_recorded = is_fine = _write(cells[1:])
    else:
        is_recorded, is_fine = messaging.send_record(request, Beacon, values), True
    if is_recorded:
        counting.count(request, target=target, source=source)
    return is_fine


def _is_crawler(request: HttpRequest) -> bool:
    """Tell whether to filter a request: asked before its entity is made."""
    return core.get("USER_AGENT_FILTERING") and spiders.verdict_of_request(request) is not None


def _values_of(
    request: HttpRequest,
    target: Model | None,
    source: Model | None,
    entity_type: type[Model] | None,
    entity_id: Any,
) -> dict[str, Any]:
    values: dict[str, Any] = {"at": datetime.now(UTC).isoformat()}
    for name, obj in ((counting.TARGET, target), (counting.SOURCE, source)):
        if obj is not None:
            model = obj._meta.concrete_model or type(obj)  # content types know no proxies
            values[name] = [model._meta.label, arrivals.text_of(obj.pk)]
    if entity_type is not None:
        values["entity"] = entities.capture(request, entity_type, entity_id)
    return values


def _write(cells: Sequence[Any]) -> bool:
    """Write a beacon as a fold would; tell whether it is written."""
    alias = router.db_for_write(Beacon)
    try:
        found = records.values_of(cells)
        with transaction.atomic(using=alias):
            Beacon.write_records(alias, [found])
    except Exception as error:  # the edge of the request
        _report(error, Beacon)
        return False
    return True


def _report(error: Exception, model: type[Model]) -> None:
    """Log where it happened, and nothing that was said there: a visitor may have said it."""
    # How long a beacon is may be a visitor's doing.
    if settings.DEBUG and isinstance(error, TrackableError) and not isinstance(error, BadRecord):
        raise error
    label, kind = _label_of(model), type(error).__name__
    if notices.is_news(f"beacons: {label} {kind}"):
        frames = "".join(traceback.format_tb(error.__traceback__))
        logger.error("A beacon was not recorded: %s raised %s.\n%s", label, kind, frames)


def _label_of(model: Any) -> str:
    """Return a model's label; a URLconf may have anything else in its place."""
    meta = getattr(model, "_meta", None)
    return f"{type(model).__name__}, which is no model," if meta is None else str(meta.label)
