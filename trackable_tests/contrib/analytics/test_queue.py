"""The queue: bounded, never waits at its entrance, and knows when it is empty."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending.queue import HitQueue


@pytest.fixture
def queue() -> HitQueue:
    return HitQueue(max_hits=3, max_bytes=1 << 20)


def test_hits_are_taken_in_their_order(queue: HitQueue, a_hit: Callable[..., Hit]) -> None:
    hits = [a_hit(title=str(n)) for n in range(3)]
    assert [queue.put(hit) for hit in hits] == [True] * 3
    assert queue.take(2, timeout_seconds=0) == hits[:2]
    assert (queue.take(2, timeout_seconds=0), len(queue), queue.size_bytes) == (hits[2:], 0, 0)


def test_full_queue_takes_no_more(queue: HitQueue, a_hit: Callable[..., Hit]) -> None:
    assert [queue.put(a_hit()) for _ in range(5)] == [True, True, True, False, False]
    queue.take(1, timeout_seconds=0)
    assert queue.put(a_hit())


def test_queue_is_bounded_in_its_size(a_hit: Callable[..., Hit]) -> None:
    small, large = a_hit(), a_hit(title="€" * 2000)
    queue = HitQueue(max_hits=1000, max_bytes=large.size_bytes + small.size_bytes)
    assert [queue.put(hit) for hit in (large, large, small, small)] == [True, False, True, False]
    assert queue.size_bytes == queue.max_bytes


def test_taker_waits_for_the_first_hit(queue: HitQueue, a_hit: Callable[..., Hit]) -> None:
    taken: list[Hit] = []
    taker = threading.Thread(target=lambda: taken.extend(queue.take(5, timeout_seconds=10)))
    taker.start()
    queue.put(hit := a_hit())
    taker.join(10)
    assert taken == [hit]


def test_queue_is_empty_when_what_was_taken_is_done(
    queue: HitQueue, a_hit: Callable[..., Hit]
) -> None:
    queue.put(a_hit())
    queue.take(1, timeout_seconds=0)
    assert not queue.wait_until_empty(deadline=time.monotonic())
    queue.done(1)
    assert queue.wait_until_empty(deadline=time.monotonic())


def test_closed_queue_gives_what_it_has_and_takes_nothing(
    queue: HitQueue, a_hit: Callable[..., Hit]
) -> None:
    queue.put(a_hit())
    queue.close()
    assert (queue.put(a_hit()), queue.is_closed) == (False, True)
    assert len(queue.take(5, timeout_seconds=10)) == 1
    assert queue.take(5, timeout_seconds=10) == []


def test_cleared_queue_tells_how_many_are_lost(queue: HitQueue, a_hit: Callable[..., Hit]) -> None:
    queue.put(a_hit())
    queue.put(a_hit())
    assert (queue.clear(), len(queue), queue.size_bytes) == (2, 0, 0)
