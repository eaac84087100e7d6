"""Sending: what takes hits from requests, and brings them to the services."""

from __future__ import annotations

from asgiref.sync import sync_to_async

from trackable.contrib.analytics import conf
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.reporting import log
from trackable.contrib.analytics.sending import deferring

__all__ = ["asend", "flush", "receivers", "send"]

#: What is sent goes to the last of these instead, if there is one: see ``analytics.testing``.
receivers: list[list[Hit]] = []


def send(hit: Hit) -> None:
    """Tell the services of the settings of a hit.

    Never raises, and never waits for a service or a broker, unless ``defer`` is ``None``: then
    for up to ``at_once_timeout`` seconds, but where an event loop runs a thread waits instead.
    What is dropped is logged once a minute.
    """
    if receivers:
        receivers[-1].append(hit)
        return
    try:
        deferring.route(hit)
    except Exception as error:
        log("A hit was not sent", error)


async def asend(hit: Hit) -> None:
    """Do the same from a coroutine: with ``defer`` ``None`` it waits, and its loop does not."""
    if not receivers and conf.get("defer") is conf.AT_ONCE:
        await sync_to_async(send, thread_sensitive=False)(hit)
    else:
        send(hit)


def flush(timeout_seconds: float = 3.0) -> bool:
    """Wait until everything that waits in this process is sent or dropped, at most so long.

    Tells whether it was. For scripts and tests: a process that ends does this by itself.
    """
    return deferring.flush(timeout_seconds)
