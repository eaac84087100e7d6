"""Delivering: what was taken, what is lost, and what may be tried again without counting twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from trackable.contrib.analytics import services
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending.breaker import Breaker
from trackable.contrib.analytics.sending.delivering import Delivery, deliver
from trackable.contrib.analytics.services.base import Service
from trackable_tests.contrib.analytics.collector import Answer, Collector, refusing_port
from trackable_tests.tables import for_each

ITEMS = [{"name": str(n), "price": 1, "quantity": 1} for n in range(30)]


@pytest.fixture
def breaker() -> Breaker:
    return Breaker(3, 30.0)


@pytest.fixture
def give(use: Callable[..., None], breaker: Breaker) -> Callable[..., Delivery]:
    """Deliver hits to a service of this name at the collector."""

    def make(
        *hits: Hit,
        name: str = "plausible",
        may_go: Any = None,
        debug: bool = False,
        **options: Any,
    ) -> Delivery:
        use(name, options=options, debug=debug)
        (service,) = services.in_force()
        return deliver(
            service,
            hits,
            breaker=breaker,
            may_go=may_go or (lambda: True),
            timeouts_seconds=(0.2, 0.2),
        )

    return make


def test_answer_in_the_two_hundreds_is_success(
    give: Callable[..., Delivery], collector: Collector, a_hit: Callable[..., Hit]
) -> None:
    collector.answers = [Answer(202), Answer(200), Answer(204)]
    assert give(a_hit(), a_hit(), a_hit()) == Delivery(taken=3)


@for_each("status", [301, 400, 403, 404, 413])
def test_refusal_is_final_and_no_failure_of_the_service(
    give: Callable[..., Delivery],
    collector: Collector,
    breaker: Breaker,
    a_hit: Callable[..., Hit],
    status: int,
) -> None:
    collector.answer_with(status)
    delivery = give(*[a_hit() for _ in range(4)])
    assert (delivery.dropped, delivery.later) == ({f"it answered {status}": 4}, [])
    assert not breaker.is_open


@for_each("status", [500, 502, 504, 520, 524])
def test_fault_after_which_it_may_be_counted_is_final(
    give: Callable[..., Delivery], collector: Collector, a_hit: Callable[..., Hit], status: int
) -> None:
    collector.answer_with(status)
    delivery = give(a_hit())
    assert delivery.later == []
    assert delivery.dropped == {f"it answered {status}, and may have counted them": 1}


@pytest.mark.parametrize("status", [429, 503])
def test_passing_fault_is_for_later(
    give: Callable[..., Delivery], collector: Collector, a_hit: Callable[..., Hit], status: int
) -> None:
    collector.answer_with(status, Retry_After="7")
    delivery = give(hit := a_hit())
    assert (delivery.later, delivery.dropped) == ([hit], {})
    assert (delivery.why_later, delivery.pause_seconds) == (f"it answered {status}", 7.0)


@for_each("asked", ["", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 10, "²"])
def test_odd_pause_is_none(
    give: Callable[..., Delivery], collector: Collector, a_hit: Callable[..., Hit], asked: str
) -> None:
    collector.answer_with(503, Retry_After=asked.encode().decode("latin-1"))
    assert give(a_hit()).pause_seconds == 0.0


def test_ga4_is_not_asked_again_what_it_has_answered(
    give: Callable[..., Delivery], collector: Collector, a_hit: Callable[..., Hit]
) -> None:
    collector.answer_with(503)
    delivery = give(a_hit(), name="ga4")
    assert (delivery.later, delivery.dropped) == (
        [],
        {"it answered 503, and may have counted them": 1},
    )


def test_what_was_never_sent_is_for_later(
    give: Callable[..., Delivery], a_hit: Callable[..., Hit]
) -> None:
    delivery = give(hit := a_hit(), name="ga4", url=f"http://127.0.0.1:{refusing_port()}")
    assert (delivery.later, delivery.why_later) == (
        [hit],
        "it cannot be reached (NewConnectionError)",
    )


def test_what_was_not_answered_may_have_been_counted_and_is_lost(
    give: Callable[..., Delivery], collector: Collector, a_hit: Callable[..., Hit]
) -> None:
    collector.hang()
    delivery = give(a_hit())
    assert delivery.later == []
    assert dict(delivery.dropped) == {
        "it did not answer (ReadTimeoutError), and may have counted them": 1
    }


def test_breaker_hears_of_failures_and_of_the_end_of_them(
    give: Callable[..., Delivery],
    collector: Collector,
    breaker: Breaker,
    a_hit: Callable[..., Hit],
    caplog: Any,
) -> None:
    collector.answer_with(500)
    give(*[a_hit() for _ in range(5)])
    assert breaker.is_open
    collector.answer_with(202)
    give(a_hit())
    assert not breaker.is_open
    assert caplog.messages == [
        "The service 'plausible' is left alone, and tried again every 30 s: it answered 500.",
        "The service 'plausible' answers again.",
    ]


def test_what_is_not_let_go_is_for_later(
    give: Callable[..., Delivery], collector: Collector, a_hit: Callable[..., Hit]
) -> None:
    answers = iter([True, False, False])
    hits = [a_hit() for _ in range(3)]
    delivery = give(*hits, may_go=lambda: next(answers))
    assert (delivery.taken, delivery.later, delivery.held) == (1, hits[1:], hits[1:])
    assert len(collector.received) == 1


# one hit in several requests


@pytest.fixture
def purchase(a_hit: Callable[..., Hit]) -> Hit:
    """A transaction that the old protocol needs two batches for."""
    return a_hit(kind="transaction", values={"transaction_id": "T", "items": ITEMS})


def test_hit_in_several_requests_is_taken_once_all_are(
    give: Callable[..., Delivery], collector: Collector, purchase: Hit
) -> None:
    assert (give(purchase, name="universal").later, len(collector.received)) == ([], 2)


def test_hit_whose_first_part_failed_is_tried_again_as_a_whole(
    give: Callable[..., Delivery], collector: Collector, purchase: Hit
) -> None:
    collector.answers = [Answer(503), Answer(204)]
    delivery = give(purchase, name="universal")
    assert (delivery.later, delivery.dropped, len(collector.received)) == ([purchase], {}, 1)


def test_hit_whose_first_part_was_taken_is_not_tried_again(
    give: Callable[..., Delivery], collector: Collector, purchase: Hit
) -> None:
    collector.answers = [Answer(204), Answer(503)]
    delivery = give(purchase, name="universal")
    assert (delivery.later, len(collector.received)) == ([], 2)
    assert dict(delivery.dropped) == {"only a part of a transaction was taken": 1}


# what services say, and services that fail


def test_answer_is_logged_printable_and_short(
    give: Callable[..., Delivery],
    collector: Collector,
    a_hit: Callable[..., Hit],
    caplog: Any,
) -> None:
    evil = "\x1b[31m\r\nWARNING fake é" + "x" * 520
    message = {"validationCode": "V", "fieldPath": "f", "description": evil}
    collector.answer_with(200, {"validationMessages": [message] * 100})
    give(a_hit(), name="ga4", debug=True)
    assert len(caplog.records) == 20
    text = caplog.messages[0]
    assert text.startswith(r"The service 'ga4' says: 'V, f, \x1b[31m\r\nWARNING fake \xe9xxx")
    assert (text.isprintable(), len(text) < 600) == (True, True)


@pytest.mark.parametrize("broken", ["requests_for", "parse"])
def test_service_that_fails_does_no_harm(
    give: Callable[..., Delivery],
    collector: Collector,
    a_hit: Callable[..., Hit],
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    broken: str,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"{next(names)}@example.com")

    names = iter(["jane", "joan", "jean", "june"])

    monkeypatch.setattr(Service, broken, fail)
    monkeypatch.setattr(
        "trackable.contrib.analytics.services.plausible.PlausibleService.parse", fail
    )
    for _ in range(2):
        delivery = give(a_hit(), a_hit())
        assert delivery.taken + delivery.dropped.total() == 2
    assert caplog.text.count("RuntimeError was raised") == 1
    assert not re.search("jane|joan|jean|june", caplog.text)


def test_bulk_is_one_request(
    give: Callable[..., Delivery], collector: Collector, a_hit: Callable[..., Hit]
) -> None:
    collector.answer_with(200, {"status": "success", "tracked": 3, "invalid": 0})
    assert give(*[a_hit() for _ in range(3)], name="matomo") == Delivery(taken=3)
    (received,) = collector.received
    assert len(json.loads(received.body)["requests"]) == 3
