"""At once: the visitor waits, for no longer than the settings say, and an event loop never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from trackable.contrib.analytics import sending
from trackable.contrib.analytics.hits import Hit
from trackable_tests.contrib.analytics.collector import Collector

Use = Callable[..., None]
MakeHit = Callable[..., Hit]


def test_hit_is_sent_at_once(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("ga4", "universal", defer=None)
    sending.send(a_hit())
    assert {received.path for received in collector.received} == {"/mp/collect", "/collect"}


def test_at_once_a_hanging_service_is_soon_left_alone(
    collector: Collector, use: Use, a_hit: MakeHit, caplog: Any
) -> None:
    use("plausible", defer=None, at_once_timeout=0.02, breaker_failures=3, timeout=60)
    collector.hang()
    for _ in range(50):
        sending.send(a_hit())
    assert (collector.hangs, len(collector.received) <= 3) == (True, True)
    assert "is left alone" in caplog.text


def test_at_once_nothing_is_tried_again(
    collector: Collector, use: Use, a_hit: MakeHit, caplog: Any
) -> None:
    use("plausible", defer=None)
    collector.answer_with(503)
    sending.send(a_hit())
    assert len(collector.received) == 1
    assert "1 hits for 'plausible' were dropped: it answered 503." in caplog.text


def test_coroutine_does_not_wait_in_its_loop(
    collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    """While one waits at once for a service that hangs, the loop goes on."""
    use("plausible", defer=None, at_once_timeout=30)
    collector.hang()

    async def visit() -> None:
        sent = asyncio.create_task(sending.asend(a_hit()))
        while not collector.in_hand:
            await asyncio.sleep(0.001)
        assert not sent.done()
        collector.release()
        await sent

    asyncio.run(visit())
    assert len(collector.received) == 1


def test_sync_code_in_a_loop_leaves_the_waiting_to_a_thread(
    collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    use("plausible", defer=None, at_once_timeout=30)
    collector.hang()

    async def visit() -> None:
        sending.send(a_hit())

    asyncio.run(visit())
    collector.wait_for(1)
    assert collector.hangs
    collector.release()
    assert sending.flush()


def test_coroutine_defers_as_others_do(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("universal")
    asyncio.run(sending.asend(a_hit()))
    assert len(collector.wait_for(1)) == 1
