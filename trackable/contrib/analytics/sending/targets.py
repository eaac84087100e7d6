"""Where the hits of a line go: to a service, or to Celery's broker for it."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from trackable import broker
from trackable import conf as core_conf
from trackable.contrib.analytics import conf
from trackable.contrib.analytics.exceptions import AnalyticsError
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.reporting import log
from trackable.contrib.analytics.sending.delivering import Delivery, deliver
from trackable.contrib.analytics.services.base import Service

if TYPE_CHECKING:
    from trackable.contrib.analytics.sending.lines import Line

#: what goes into one message of Celery's
MESSAGE_HITS: Final = 20
HIDDEN: Final = "(hits)"


class ServiceTarget:
    """Delivers to a service, over HTTP."""

    def __init__(self, service: Service) -> None:
        # Loaded before there is a thread: a fork would leave half of it in the child.
        import_module("trackable.contrib.analytics.sending.transport")
        self.service = service
        self.alias = service.alias
        self.max_bulk = service.max_bulk
        self.max_threads = int(conf.get("threads"))

    def deliver(self, hits: list[Hit], line: Line) -> Delivery:
        return deliver(
            self.service,
            hits,
            breaker=line.breaker,
            may_go=line.may_go,
            timeouts_seconds=line.timeouts_seconds(),
        )


@cache
def has_tasks() -> bool:
    """Tell whether there are Celery's tasks. What cannot be imported is not sought at each hit."""
    try:
        import_module("trackable.contrib.analytics.tasks")
    except Exception as error:  # another's module may fail at anything
        log("Celery's tasks cannot be imported", error)
        return False
    return True


class CeleryTarget:
    """Publishes ``googleanalytics.send_hit`` for a service.

    On a connection of its own, whose every step has a time-out: Celery's own waits for many
    seconds, on some transports for ever.
    """

    def __init__(self, service: Service) -> None:
        if not has_tasks():
            raise AnalyticsError("Celery's tasks cannot be imported: run the checks.")
        self.alias = service.alias
        self.max_bulk = MESSAGE_HITS
        self.max_threads = 1
        self._connection: Any = None

    def deliver(self, hits: list[Hit], line: Line) -> Delivery:
        delivery = Delivery()
        if not line.may_go():
            delivery.later, delivery.why_later = hits, "the broker is left alone for now"
            return delivery
        try:
            self._publish(hits)
        except Exception as error:
            self._disconnect()
            line.breaker.fail()
            kind = type(error).__name__
            delivery.later, delivery.why_later = hits, f"the broker does not take them ({kind})"
        else:
            line.breaker.succeed()
            delivery.taken = len(hits)
        return delivery

    def _publish(self, hits: list[Hit]) -> None:
        from trackable.contrib.analytics.tasks import send_hit

        if self._connection is None and not send_hit.app.conf.task_always_eager:
            self._connection = _connect(send_hit.app)
        send_hit.apply_async(
            args=[[hit.as_dict() for hit in hits], self.alias],
            connection=self._connection,
            retry=False,
            ignore_result=True,
            argsrepr=HIDDEN,
        )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.collect(float(core_conf.get("BROKER_TIMEOUT")))


def _connect(app: Any) -> Any:
    """Return a connection to the broker of which no step takes longer than the time-out."""
    seconds = float(core_conf.get("BROKER_TIMEOUT"))
    connection = app.connection_for_write(connect_timeout=seconds)
    broker.open_within(seconds, connection)
    return connection
