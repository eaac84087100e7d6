"""The broker's part: how many messages wait in each queue."""

from __future__ import annotations

from trackable import broker
from trackable.exceptions import BrokerRefused
from trackable.labels import folded_classes
from trackable.management.printing import printable
from trackable.status.figures import Broker


def read_broker() -> Broker:
    """Return the depth of every queue. Raises ``BrokerUnavailable``.

    Some of kombu's transports cannot tell a depth, and say 0.
    """
    found = Broker({}, {})
    labels = [cls._meta.label for cls in folded_classes()]
    with broker.Broker() as source:
        for label in [*labels, broker.UNKNOWN]:
            try:
                found.queues[label] = source.depth(label)
            except BrokerRefused as error:
                found.refused[label] = printable(error)
    return found
