"""The broker: publishes batches to a queue for each data class, and claims them, with kombu.

Nothing here is called from a request. Every call has a time-out and raises
``BrokerUnavailable`` when it passes, or when the broker refuses; the connection is closed then.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trackable import batches, conf
from trackable.batches import Batch, Malformed
from trackable.exceptions import BadMessage, BrokerRefused, BrokerUnavailable
from trackable.labels import folded_class_of

if TYPE_CHECKING:
    from kombu import Connection

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/json"
#: The time after which a claim on Redis is another folder's; folding it twice counts it once.
CLAIM_SECONDS: Final = 900
BYTES_PER_ENTRY: Final = 50
#: Past so many messages that kombu cannot read in one connection's life, something else is wrong.
MAX_UNREADABLE: Final = 1000
#: The queue of batches whose data class no longer exists: every fold drains it, in one group.
UNKNOWN: Final = "unknown"


def is_configured() -> bool:
    """Tell whether batches go through a broker; without one they are folded from the journal."""
    return _url() is not None


def _url() -> str | None:
    url = conf.get("BROKER_URL")
    if url is not conf.UNSET:
        return url or None
    app = celery_app()
    return app.conf.broker_write_url if app is not None else None


def celery_app() -> Any:
    """Return the project's Celery app, or ``None``.

    Who has one has imported Celery. Asking for ``celery.current_app`` would make one up where
    there is none, and is a matter of the thread.
    """
    if "celery" not in sys.modules:
        return None
    from celery import _state

    here = _state._tls.current_app or _state.default_app
    return here or next(iter(_state._get_active_apps()), None)


def queue_name(data_class: str) -> str:
    """Return the name of a data class's queue."""
    name = UNKNOWN if folded_class_of(data_class) is None else data_class.lower()
    return f"{conf.get('QUEUE_PREFIX')}{name}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that was taken from a queue and is not acknowledged yet."""

    batch: Batch | Malformed
    message: Any = None
    length_bytes: int = 0

    @property
    def size(self) -> int:
        """The number of its entries; what is no batch takes the room of as many as its bytes.

        A message is in memory, whole, for as long as it is not acknowledged.
        """
        if isinstance(self.batch, Malformed):
            return self.length_bytes // BYTES_PER_ENTRY
        return len(self.batch.counts)

    def ack(self) -> None:
        """Acknowledge it; to be called once its transaction is committed.

        A failure is logged only: the broker delivers it again, and the ledger knows it.
        """
        if self.message is None:
            return
        try:
            self.message.ack()
        except Exception as error:
            logger.warning("Batch %s is folded, its ack failed: %s", self.batch.id, error)


class Broker:
    """One connection to the broker, opened on first use."""

    def __init__(self) -> None:
        self.timeout_seconds = float(conf.get("BROKER_TIMEOUT"))
        self._connection: Connection | None = None
        self._channel: Any = None
        self._declared: set[str] = set()
        self._unreadable = 0

    def publish(self, batch: Batch) -> None:
        """Publish a batch to its class's queue and wait until the broker has confirmed it."""
        name, body = queue_name(batch.data_class), batches.encode(batch)
        with self._errors():
            producer = self._producer(name)
            producer.publish(
                body,
                exchange="",
                routing_key=name,
                content_type=CONTENT_TYPE,
                content_encoding="utf-8",
                delivery_mode=2,
                mandatory=True,
                retry=False,
                timeout=self.timeout_seconds,
                confirm_timeout=self.timeout_seconds,
            )

    def claim(self, data_class: str) -> Claim | None:
        """Take the next message of a class's queue; ``None`` if it is empty."""
        with self._errors():
            name = queue_name(data_class)
            self._declare(name)
            try:
                message = self._get(name)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                # Not even a message of kombu's; taking it has removed it from the queue.
                self._unreadable += 1
                if self._unreadable > MAX_UNREADABLE:
                    raise
                text = f"{type(error).__name__}: {error}"
                return Claim(Malformed.of(data_class, text.encode(), "no message of kombu's"))
        if message is None:
            return None
        return Claim(_decode(data_class, message), message, len(_raw(message.body)))

    def _get(self, name: str) -> Any:
        """Take a message as it is: ``Queue.get`` raises for one, which nobody can ack then."""
        message = self._channel.basic_get(queue=name, no_ack=False)
        convert = getattr(self._channel, "message_to_python", None)
        return convert(message) if convert and message is not None else message

    def depth(self, data_class: str) -> int:
        """Return the number of messages that wait in a class's queue."""
        name = queue_name(data_class)
        with self._errors():
            return int(self._bound_queue(name).queue_declare(passive=False).message_count)

    def close(self) -> None:
        """Close the connection. Claims that are not acknowledged go back to their queues."""
        connection = self._forget()
        if connection is not None:
            with suppress(Exception):
                connection.release()

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _forget(self) -> Connection | None:
        connection, self._connection, self._channel = self._connection, None, None
        self._declared.clear()
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            connection = self._forget()
            if connection is None:
                raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
            with suppress(Exception):
                connection.collect(self.timeout_seconds)
            is_refusal = isinstance(error, connection.channel_errors)
            kind = BrokerRefused if is_refusal else BrokerUnavailable
            raise kind(f"{type(error).__name__}: {error}") from error

    def _producer(self, name: str) -> Any:
        from kombu import Producer

        self._declare(name)
        return Producer(self._channel, auto_declare=False)

    def _bound_queue(self, name: str) -> Any:
        self._declare(name)
        return self._queue(name).bind(self._channel)

    def _declare(self, name: str) -> None:
        if self._channel is None:
            self._connection = connect(self.timeout_seconds)
            self._channel = self._connection.channel()
            self._channel.Message = _packed(self._channel.Message)
            self._restore()
        if name not in self._declared:
            self._queue(name).bind(self._channel).queue_declare()
            self._declared.add(name)

    def _restore(self) -> None:
        """Put back what folders that died had claimed, where that is left to kombu (Redis)."""
        restore = getattr(getattr(self._channel, "qos", None), "restore_visible", None)
        if restore is not None:
            restore(num=None)

    @staticmethod
    def _queue(name: str) -> Any:
        from kombu import Queue

        arguments = conf.get("QUEUE_ARGUMENTS")
        return Queue(name, routing_key=name, durable=True, queue_arguments=arguments or None)


def _packed(message_class: Any) -> Any:
    """A message class that unpacks nothing: kombu would, into gigabytes if a stranger so wants."""

    class Packed(message_class):  # type: ignore[misc]
        def __init__(self, payload: Any, *args: Any, **kwargs: Any) -> None:
            properties = getattr(payload, "properties", None)
            if properties is None:
                (payload.get("headers") or {}).pop("compression", None)
            else:
                (properties.get("application_headers") or {}).pop("compression", None)
            super().__init__(payload, *args, **kwargs)

    return Packed


def _raw(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body).encode("utf-8", "backslashreplace")


def _decode(data_class: str, message: Any) -> Batch | Malformed:
    raw = _raw(message.body)
    if message.errors:
        return Malformed.of(data_class, raw, f"kombu cannot read it: {message.errors[0][1]}")
    if message.content_type != CONTENT_TYPE:
        kind = str(message.content_type)[:80]
        return Malformed.of(data_class, raw, f"{kind!r} is not {CONTENT_TYPE}")
    try:
        return batches.decode(raw)
    except BadMessage as error:
        return Malformed.of(data_class, raw, str(error))


def connect(timeout_seconds: float) -> Connection:
    """Return an open connection of which no operation waits for longer than the time-out.

    kombu's own defaults wait for many seconds, some for ever.
    """
    connection: Connection = _connection(timeout_seconds)
    driver = connection.get_transport_cls().driver_type
    options = {**_own_options(driver), **conf.get("BROKER_TRANSPORT_OPTIONS")}
    open_within(timeout_seconds, connection, options)
    return connection


def open_within(
    timeout_seconds: float, connection: Any, options: Mapping[str, Any] | None = None
) -> None:
    """Open a connection of kombu's such that no operation on it waits for longer.

    ``options`` are those of its transport, and come last. Raises what kombu raises.
    """
    connection.transport_options = {
        **(connection.transport_options or {}),
        **_time_limits(connection.get_transport_cls().driver_type, timeout_seconds),
        **(options or {}),
    }
    connection.ensure_connection(
        max_retries=1, interval_start=0, interval_step=0, timeout=timeout_seconds
    )


def _connection(timeout_seconds: float) -> Any:
    from kombu import Connection

    url = conf.get("BROKER_URL")
    if url is conf.UNSET:
        return celery_app().connection_for_write(connect_timeout=timeout_seconds)
    return Connection(url, connect_timeout=timeout_seconds)


def _time_limits(driver: str, seconds: float) -> dict[str, Any]:
    if driver == "amqp":
        return {"read_timeout": seconds, "write_timeout": seconds}
    if driver == "redis":
        return {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    return {}


def _own_options(driver: str) -> dict[str, Any]:
    if driver == "amqp":
        return {"confirm_publish": True}
    if driver == "redis":
        # Claims are kept apart from Celery's own, which may stay out for longer.
        claims = f"{conf.get('QUEUE_PREFIX')}claims"
        return {
            "visibility_timeout": CLAIM_SECONDS,
            "unacked_key": claims,
            "unacked_index_key": f"{claims}.index",
            "unacked_mutex_key": f"{claims}.mutex",
        }
    return {}
