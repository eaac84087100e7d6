"""Limits: kept in the cache, by visitor and token; a cache that is away stops nothing."""

import logging
import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import RequestFactory

from trackable.collect import limits


def is_over(address: str = "192.0.2.1", token: str = "x", **headers: str) -> bool:
    request = RequestFactory().post("/", headers=headers)
    request.META["REMOTE_ADDR"] = address
    return limits.is_over(request, token)


def test_a_limit_ends_with_its_window(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TRACKABLE_COLLECT_RATE = "1/10s"
    now = time.time() // 10 * 10
    monkeypatch.setattr(limits.time, "time", lambda: now)
    assert [is_over(), is_over()] == [False, True]
    monkeypatch.setattr(limits.time, "time", lambda: now + 10)
    assert not is_over()


def test_a_subscriber_of_ipv6_is_one_visitor(settings: Any) -> None:
    settings.TRACKABLE_COLLECT_RATE = "1/d"
    assert not is_over("2001:db8:1:2::1")
    assert is_over("2001:db8:1:2:ffff::9")
    assert not is_over("2001:db8:1:3::1")


def test_the_cache_has_no_address(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []
    monkeypatch.setattr(cache, "add", lambda key, *_: keys.append(key))
    monkeypatch.setattr(cache, "incr", lambda _: 1)
    assert not is_over("192.0.2.1", "token")
    [key] = keys
    assert "192" not in key
    assert len(key) < 100


def test_a_cache_that_is_away_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def fail(key: str, *_: Any) -> None:
        asked.append(key)
        raise ConnectionError("no route")

    monkeypatch.setattr(cache, "add", fail)
    assert [is_over() for _ in range(3)] == [False] * 3
    assert len(asked) == 1
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    monkeypatch.setattr(limits, "_rests_until", 0.0)
    assert not is_over()
    assert len(asked) == 2


def test_a_key_that_is_evicted_at_once_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "add", lambda *_: True)
    assert not is_over()
    assert limits._rests_until == 0.0


def test_visitors_without_addresses_share_no_limit(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRACKABLE_COLLECT_RATE = "1/d"
    assert [is_over("") for _ in range(3)] == [False] * 3
    [said] = [each.getMessage() for each in caplog.records]
    assert "TRACKABLE_TRUSTED_PROXIES" in said


def test_a_proxy_that_nobody_trusts_is_told_of(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRACKABLE_COLLECT_RATE = "1/d"
    said = [is_over(**{"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(3)]
    assert said == [False, True, True]
    [record] = caplog.records
    assert "192.0.2.1" in record.getMessage()
    settings.TRACKABLE_TRUSTED_PROXIES = ["192.0.2.1"]
    assert not is_over(**{"X-Forwarded-For": "198.51.100.9"})
