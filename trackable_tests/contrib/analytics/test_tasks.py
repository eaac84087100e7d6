"""Celery: hits travel through a broker with their time, and a broker that is away harms nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery, _state
from celery.exceptions import Retry

from trackable.contrib.analytics import sending, tasks
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending import deferring, drops
from trackable.contrib.analytics.sending.delivering import Delivery
from trackable_tests.contrib.analytics.collector import Answer, Collector, refusing_port
from trackable_tests.tables import for_each

Use = Callable[..., None]
MakeHit = Callable[..., Hit]


@pytest.fixture
def app() -> Iterator[Celery]:
    """The project's Celery app, which runs tasks where they are called."""
    before = _state._tls.current_app, _state.default_app
    found = Celery("the tests'", set_as_current=False)
    found.conf.update(broker_url="memory://", task_always_eager=True)
    _state.set_default_app(found)
    _state._tls.current_app = found
    found.finalize()
    yield found
    _state._tls.current_app, _ = before
    _state.set_default_app(before[1])


def through_broker(app: Celery, url: str) -> None:
    app.conf.update(broker_url=url, task_always_eager=False)


def test_task_has_the_name_of_old(app: Celery) -> None:
    assert app.tasks["googleanalytics.send_hit"].name == tasks.send_hit.name == tasks.NAME
    assert (tasks.send_hit.ignore_result, tasks.send_hit.acks_late) == (True, False)


def test_hit_is_sent_through_the_task(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    use("ga4", "universal", defer="celery")
    sending.send(a_hit())
    assert {received.path for received in collector.wait_for(2)} == {"/mp/collect", "/collect"}


@pytest.mark.parametrize("waited", [timedelta(0), timedelta(hours=1)])
def test_time_of_the_hit_is_kept_in_the_broker(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit, waited: timedelta
) -> None:
    use("ga4", "universal", "matomo")
    at = datetime.now(UTC) - waited
    tasks.send_hit(json.loads(json.dumps(a_hit(happened_at=at).as_dict())))
    found = {received.path: received for received in collector.received}
    qt = timedelta(milliseconds=int(found["/collect"].form.get("qt", 0)))
    assert waited <= qt < waited + timedelta(minutes=1)
    (event,) = found["/mp/collect"].json["events"]
    assert event["timestamp_micros"] == round(at.timestamp() * 1_000_000)
    assert f"cdt={int(at.timestamp())}&" in found["/matomo.php"].json["requests"][0]


def test_task_takes_one_hit_or_several_for_one_service_or_all(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    use("plausible", "universal")
    assert tasks.send_hit(a_hit().as_dict()) == 2
    assert tasks.send_hit([a_hit().as_dict()] * 3, "plausible") == 3
    assert tasks.send_hit([a_hit().as_dict()], "none of these") == 0
    assert len(collector.received) == 5


@for_each("odd", [None, 7, "x", {}, [{}], [[]], {"kind": "x"}])
def test_what_is_no_hit_is_dropped(
    app: Celery, collector: Collector, use: Use, odd: Any, caplog: Any
) -> None:
    drops.forget()
    use("plausible")
    assert tasks.send_hit(odd) == 0
    assert "hits for 'Celery' were dropped: what arrived is no hit" in caplog.text


def test_several_hits_are_one_message(
    app: Celery, use: Use, a_hit: MakeHit, published: list[dict[str, Any]]
) -> None:
    use("plausible", defer="celery")
    line = deferring.line_of(next(deferring.reachable()))
    for _ in range(25):
        line.queue.put(a_hit())
    line.turn(timeout_seconds=0)
    line.turn(timeout_seconds=0)
    assert [len(message["args"][0]) for message in published] == [20, 5]
    assert published[0]["args"][1] == "plausible"


def test_broker_shows_nothing_of_the_hits(
    app: Celery, use: Use, a_hit: MakeHit, published: list[dict[str, Any]]
) -> None:
    use("plausible", defer="celery")
    sending.send(a_hit())
    assert sending.flush(10)
    assert (published[0]["argsrepr"], published[0]["retry"]) == ("(hits)", False)


@pytest.fixture
def published(app: Celery, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is published of the task."""
    found: list[dict[str, Any]] = []
    task = app.tasks[tasks.NAME]
    monkeypatch.setattr(task, "apply_async", lambda **options: found.append(options))
    return found


# retries


def test_passing_fault_is_tried_again_by_another_run(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("plausible", retries=3)
    collector.answers = [Answer(202), Answer(503, headers={"Retry-After": "40"})]
    retried: list[dict[str, Any]] = []

    def retry(**options: Any) -> Retry:
        retried.append(options)
        return Retry()

    monkeypatch.setattr(app.tasks[tasks.NAME], "retry", retry)
    hits = [a_hit(title="1").as_dict(), a_hit(title="2").as_dict()]
    with pytest.raises(Retry):
        tasks.send_hit(hits, "plausible")
    assert retried == [{"args": [[hits[1]], "plausible"], "countdown": 40.0, "argsrepr": "(hits)"}]


def test_retries_end(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit, caplog: Any
) -> None:
    use("plausible", retries=2)
    collector.answer_with(503)
    task = app.tasks[tasks.NAME]
    done = task.apply(args=[[a_hit().as_dict()], "plausible"])
    assert (done.successful(), len(collector.received)) == (True, 3)
    assert caplog.text.count("were dropped: it answered 503") == 1


def test_hit_for_all_services_is_retried_for_the_one_that_failed(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    use("plausible", "universal", retries=1)
    collector.answers = [Answer(503), Answer(204)]
    tasks.send_hit(a_hit().as_dict())
    assert [received.path for received in collector.received] == [
        *("/api/event", "/api/event", "/collect")
    ]


def test_run_that_the_breaker_holds_back_is_no_try(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit, published: list[dict[str, Any]]
) -> None:
    use("plausible", breaker_failures=1, breaker_seconds=500, retries=0)
    app.conf.task_always_eager = False
    (service,) = deferring.reachable()
    deferring.breaker_of(service).fail()
    hit = a_hit().as_dict()
    tasks.send_hit([hit], "plausible")
    (again,) = published
    assert (again["args"], again["retries"], again["argsrepr"]) == (
        [[hit], "plausible"],
        0,
        "(hits)",
    )
    assert (collector.received, 490 < again["countdown"] <= 500) == ([], True)


def test_hit_that_fails_is_told_from_those_that_are_held_back_for_it(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit, published: list[dict[str, Any]]
) -> None:
    use("plausible", breaker_failures=1, breaker_seconds=500, retries=0)
    app.conf.task_always_eager = False
    collector.answer_with(503)
    hits = [a_hit(title=str(n)).as_dict() for n in range(3)]
    tasks.send_hit(hits, "plausible")
    assert [message["args"] for message in published] == [[hits[1:], "plausible"]]


def test_hit_is_not_held_back_for_ever(
    app: Celery,
    use: Use,
    a_hit: MakeHit,
    published: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    use("universal", breaker_failures=1)
    app.conf.task_always_eager = False
    (service,) = deferring.reachable()
    deferring.breaker_of(service).fail()
    at = datetime.now(UTC) - timedelta(hours=1)
    delivery = Delivery(later=[hit := a_hit(happened_at=at)], held=[hit], why_later="x")
    tasks._finish(tasks.send_hit, "universal", delivery, is_only=True)
    old = a_hit(happened_at=at - timedelta(days=1))
    tasks._finish(tasks.send_hit, "universal", Delivery(later=[old], held=[old]), is_only=True)
    assert [message["args"][0] for message in published] == [[hit.as_dict()]]
    assert "were dropped: the service was left alone for too long" in caplog.text


# the broker


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_broker_that_swallows_packets_keeps_nobody_waiting(
    app: Celery, use: Use, a_hit: MakeHit, settings: Any, silent_port: int, scheme: str, caplog: Any
) -> None:
    settings.TRACKABLE_BROKER_TIMEOUT = 0.2
    use("plausible", defer="celery", retries=0, breaker_failures=1, breaker_seconds=600)
    through_broker(app, f"{scheme}://127.0.0.1:{silent_port}/0")
    for _ in range(100):
        sending.send(a_hit())
    (line,) = deferring._lines.values()
    assert len(line.queue) >= 80  # the first message was not yet given up
    until(lambda: line.breaker.is_open)
    deferring.forget()
    assert until(lambda: "the broker does not take them" in caplog.text)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_broker_that_is_away_is_tried_again(
    app: Celery, use: Use, a_hit: MakeHit, settings: Any, scheme: str
) -> None:
    settings.TRACKABLE_BROKER_TIMEOUT = 0.2
    use("plausible", defer="celery", retries=20, breaker_failures=2, breaker_seconds=0.01)
    through_broker(app, f"{scheme}://127.0.0.1:{refusing_port()}/0")
    sending.send(a_hit())
    (line,) = deferring._lines.values()
    assert until(lambda: line.breaker.is_open)


def test_what_waited_for_the_broker_is_published_when_it_is_back(
    app: Celery, collector: Collector, use: Use, a_hit: MakeHit, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("plausible", defer="celery", retries=5)
    monkeypatch.setattr(deferring.Line, "_pause", lambda self, seconds: comes_back())
    through_broker(app, f"redis://127.0.0.1:{refusing_port()}/0")

    def comes_back() -> bool:
        app.conf.task_always_eager = True
        return True

    sending.send(a_hit())
    assert sending.flush(20)
    assert len(collector.received) == 1


def test_hit_goes_through_a_real_broker(
    app: Celery, use: Use, a_hit: MakeHit, redis_url: str
) -> None:
    use("plausible", defer="celery")
    through_broker(app, redis_url)
    hit = a_hit()
    sending.send(hit)
    assert sending.flush(20)
    with app.connection_for_read() as connection:
        message = connection.SimpleQueue("celery").get(timeout=10)
        message.ack()
    args, kwargs, _ = message.payload
    assert (message.headers["task"], kwargs) == (tasks.NAME, {})
    assert (Hit.of_dict(args[0][0]), args[1]) == (hit, "plausible")
    assert "example.com" not in str(message.headers)


def until(condition: Callable[[], bool]) -> bool:
    """Wait until something that a thread brings about is so; drops are told meanwhile."""
    import time

    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        drops.tell(now=True)
        time.sleep(0.005)
    return True
