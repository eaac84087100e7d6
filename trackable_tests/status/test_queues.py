"""How many messages wait in each queue of real brokers."""

from __future__ import annotations

from typing import Any

import pytest

from trackable import broker
from trackable.broker import Broker
from trackable.exceptions import BrokerRefused, BrokerUnavailable
from trackable.status.queues import read_broker
from trackable_tests.counting import batch
from trackable_tests.testapp.models import PageData


def test_every_queue_has_its_depth(real_broker_url: str) -> None:
    with Broker() as source:
        source.publish(batch(PageData))
        source.publish(batch(PageData))
    found = read_broker()
    assert {label: depth for label, depth in found.queues.items() if depth} == {
        "testapp.PageData": 2
    }
    assert broker.UNKNOWN in found.queues
    assert found.refused == {}


def test_broker_that_is_away_is_an_error(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(BrokerUnavailable):
        read_broker()


def test_refused_queue_hides_no_other(settings: Any, monkeypatch: Any) -> None:
    def depth(_self: Broker, label: str) -> int:
        if label == "testapp.PageData":
            raise BrokerRefused("PRECONDITION_FAILED \x1b[2J")
        return 1

    monkeypatch.setattr(Broker, "depth", depth)
    found = read_broker()
    assert found.refused == {"testapp.PageData": "PRECONDITION_FAILED \\x1b[2J"}
    assert found.queues[broker.UNKNOWN] == 1
