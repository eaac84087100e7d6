"""A broker in memory that does everything to messages that brokers have been seen to do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from trackable import batches
from trackable.batches import Batch
from trackable.broker import CONTENT_TYPE, Claim, _decode, queue_name
from trackable.exceptions import BrokerUnavailable


@dataclass(eq=False)
class Message:
    """A message, in kombu's words as far as a claim asks for them."""

    body: bytes
    server: Server
    content_type: str = CONTENT_TYPE
    errors: tuple[object, ...] = ()

    def ack(self) -> None:
        """Remove it; fails if the server has forgotten who holds it."""
        self.server.check()
        self.server.claimed.remove(self)


@dataclass
class Server:
    """What all connections share; the order in a queue is that of delivery."""

    queues: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    #: on their way: published, not deliverable yet
    delayed: list[tuple[str, Message]] = field(default_factory=list)
    claimed: list[Message] = field(default_factory=list)
    is_away: bool = False

    def check(self) -> None:
        if self.is_away:
            raise BrokerUnavailable("Connection refused")

    def release(self) -> None:
        """Deliver what was delayed."""
        for name, message in self.delayed:
            self.queues[name].append(message)
        self.delayed.clear()

    def empty(self) -> None:
        """Forget everything, as a restart without a disk does."""
        self.queues.clear()
        self.delayed.clear()
        self.claimed.clear()


class FakeBroker:
    """One connection: ``broker.Broker`` as its users see it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._claimed: list[tuple[str, Message]] = []

    def publish(self, batch: Batch) -> None:
        self.server.check()
        message = Message(batches.encode(batch), self.server)
        self.server.queues[queue_name(batch.data_class)].append(message)

    def claim(self, data_class: str) -> Claim | None:
        self.server.check()
        name = queue_name(data_class)
        if not self.server.queues[name]:
            return None
        message = self.server.queues[name].pop(0)
        self.server.claimed.append(message)
        self._claimed.append((name, message))
        return Claim(_decode(data_class, message), message)

    def depth(self, data_class: str) -> int:
        self.server.check()
        return len(self.server.queues[queue_name(data_class)])

    def close(self) -> None:
        """Give back what is not acknowledged; whoever claimed it may still go on with it."""
        for name, message in self._claimed:
            if message in self.server.claimed:
                self.server.claimed.remove(message)
                self.server.queues[name].append(message)
        self._claimed.clear()

    def __enter__(self) -> FakeBroker:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
