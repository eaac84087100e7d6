"""Deferring: whether a hit is sent at once, by a thread, or by Celery; and the end of a process."""

from __future__ import annotations

import asyncio
import atexit
import ipaddress
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

from django.core.signals import setting_changed

from trackable import conf as core_conf
from trackable.contrib.analytics import conf, services
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.options import host_of
from trackable.contrib.analytics.reporting import log
from trackable.contrib.analytics.sending import drops
from trackable.contrib.analytics.sending.breaker import Breaker
from trackable.contrib.analytics.sending.delivering import deliver
from trackable.contrib.analytics.sending.lines import Line
from trackable.contrib.analytics.sending.targets import CeleryTarget, ServiceTarget
from trackable.contrib.analytics.services.base import Service

_lines: dict[str, Line] = {}
_breakers: dict[str, Breaker] = {}
_lock = threading.Lock()


def route(hit: Hit) -> None:
    """Send a hit to each service, as ``defer`` says; in an event loop never at once."""
    at_once = conf.get("defer") is conf.AT_ONCE and not _is_in_loop()
    for service in reachable():
        if at_once:
            _send_at_once(service, hit)
        else:
            line_of(service).put(hit)


def _is_in_loop() -> bool:
    """Tell whether an event loop runs in this thread: all that it serves would wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _send_at_once(service: Service, hit: Hit) -> None:
    limit = float(conf.get("at_once_timeout"))
    connect, read = conf.timeouts_seconds()
    breaker = breaker_of(service)
    delivery = deliver(
        service,
        [hit],
        breaker=breaker,
        may_go=lambda: breaker.wait_seconds() == 0.0,
        timeouts_seconds=(min(connect, limit), min(read, limit)),
    )
    for reason, number in delivery.dropped.items():
        drops.add(service.alias, reason, number)
    if delivery.later:
        drops.add(service.alias, delivery.why_later, len(delivery.later))


def reachable() -> Iterator[Service]:
    """Yield the services that hits go to: in tests, only those on this machine itself."""
    is_under_test = core_conf.is_under_test()
    for service in services.in_force():
        if not is_under_test or is_local(service.url):
            yield service


def is_local(url: str) -> bool:
    """Tell whether a URL is one of this machine itself."""
    host = host_of(url)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def line_of(service: Service) -> Line:
    """Return this process's line to a service, or to Celery's broker for it."""
    line = _lines.get(service.alias)
    if line is not None:
        return line
    with _lock:
        if service.alias not in _lines:
            _lines[service.alias] = _new_line(service)
        return _lines[service.alias]


def _new_line(service: Service) -> Line:
    if conf.get("defer") == conf.CELERY:
        return Line(CeleryTarget(service), _new_breaker())
    return Line(ServiceTarget(service), breaker_of(service))


def breaker_of(service: Service) -> Breaker:
    """Return what this process remembers of a service's answers."""
    return _breakers.setdefault(service.alias, _new_breaker())


def _new_breaker() -> Breaker:
    return Breaker(conf.get("breaker_failures"), conf.get("breaker_seconds"))


def flush(timeout_seconds: float) -> bool:
    """Wait until everything that waits is sent or dropped; tell whether it was in time."""
    deadline = time.monotonic() + timeout_seconds
    in_time = True
    for line in [*_lines.values()]:
        in_time &= line.flush(deadline=deadline)
    return in_time


def finish() -> None:
    """Send what waits, for ``exit_timeout`` seconds at most, and drop the rest.

    Called when the process ends.
    """
    deadline = time.monotonic() + float(conf.get("exit_timeout"))
    lines = [*_lines.values()]
    _lines.clear()
    for line in lines:
        line.close()
    for line in lines:
        line.finish(deadline=deadline)
    drops.tell(now=True)


def forget(**_: Any) -> None:
    """Make new lines, of the settings as they are now; those that there are end by themselves."""
    lines = [*_lines.values()]
    _lines.clear()
    _breakers.clear()
    for line in lines:
        line.close()


def _after_fork() -> None:
    """Leave a parent's hits to the parent: its threads are not here."""
    global _lock
    _lines.clear()
    _breakers.clear()
    _lock = threading.Lock()


def _on_setting_changed(*, setting: str, **_: Any) -> None:
    if setting.startswith(conf.SETTING):
        forget()


def _at_exit() -> None:
    try:
        finish()
    except Exception as error:
        log("Not every hit was sent at exit", error)


setting_changed.connect(_on_setting_changed, dispatch_uid="trackable.analytics.forget")
os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
