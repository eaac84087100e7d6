"""Delivery: what is noted is told to the services, and removed once they have taken it.

What folds have added to one counter is told as one. Whoever delivers leases what is due, in a
transaction, and tells the service outside of it. A process that dies in between leaves a lease
that ends: then it is told again, also if the service had taken it. What a service may have
counted, but has not answered, is not told again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from django.db import router
from django.utils import timezone

from trackable import __version__
from trackable.contrib.analytics import conf
from trackable.contrib.analytics.exceptions import HitError
from trackable.contrib.analytics.forwarding.declared import forward_of
from trackable.contrib.analytics.forwarding.leasing import Waiting
from trackable.contrib.analytics.hits import EVENT, Hit
from trackable.contrib.analytics.models import ForwardedAmount
from trackable.contrib.analytics.sending import deferring
from trackable.contrib.analytics.sending.delivering import Delivery, deliver
from trackable.contrib.analytics.services import Service
from trackable.folding import ledger

logger = logging.getLogger(__name__)

#: how long requests are made for what is leased; the last of them may take its time
LEASE_SECONDS: Final = 300.0
#: of what JSON's numbers are exact up to
MAX_NUMBER: Final = 2**53
#: an address of RFC 5737 that nobody has, for services that ask for one
NOBODY: Final = "192.0.2.1"
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=6)
MAX_TRIES: Final = 1000
#: What no service has taken by then, or is for one that the settings no longer have.
MAX_AGE: Final = timedelta(days=30)


@dataclass(slots=True)
class ForwardReport:
    """What became of amounts: taken by a service, to be tried again, or given up."""

    taken: int = 0
    later: int = 0
    dropped: int = 0

    def __iadd__(self, other: ForwardReport) -> ForwardReport:
        self.taken += other.taken
        self.later += other.later
        self.dropped += other.dropped
        return self


def forward() -> ForwardReport:
    """Tell each service what is due, from each database that counts, and report.

    Raises what Django raises when a database fails.
    """
    report = ForwardReport()
    aliases = {*ledger.aliases(), router.db_for_write(ForwardedAmount)}
    for alias in sorted(aliases):
        if router.allow_migrate_model(alias, ForwardedAmount):
            report += _forward_from(alias)
    return report


def _forward_from(alias: str) -> ForwardReport:
    report = ForwardReport(dropped=_give_up_old(alias))
    for service in deferring.reachable():
        if service.is_debug:
            continue  # it would only look at them, and they would be gone
        waiting = Waiting(alias, service.alias, by=timezone.now())
        waiting.merge()
        while (found := _tell_some(waiting, service)) != ForwardReport():
            report += found
            if found.later:
                break  # it is away: what is left waits for the next run
    return report


def _give_up_old(alias: str) -> int:
    old = ForwardedAmount._base_manager.using(alias).filter(folded_at__lt=timezone.now() - MAX_AGE)
    number, _ = old.delete()
    if number:
        logger.error("%d amounts are not told to anybody: no service took them in time.", number)
    return number


def _tell_some(waiting: Waiting, service: Service) -> ForwardReport:
    """Tell a service of as much as goes in one request, and report; of nothing if none is due."""
    timeouts_seconds = conf.timeouts_seconds()
    ends_at = time.monotonic() + LEASE_SECONDS
    lease = timedelta(seconds=LEASE_SECONDS + sum(timeouts_seconds))
    if not (amounts := waiting.lease(service.max_bulk, until=timezone.now() + lease)):
        return ForwardReport()
    hits = {id(hit): (amount, hit) for amount in amounts for hit in _hits(amount, service)}
    breaker = deferring.breaker_of(service)
    delivery = deliver(
        service,
        [hit for _, hit in hits.values()],
        breaker=breaker,
        may_go=lambda: time.monotonic() < ends_at and breaker.wait_seconds() == 0.0,
        timeouts_seconds=timeouts_seconds,
    )
    return _settle(waiting, service, amounts, hits, delivery)


def _settle(
    waiting: Waiting,
    service: Service,
    amounts: list[ForwardedAmount],
    hits: dict[int, tuple[ForwardedAmount, Hit]],
    delivery: Delivery,
) -> ForwardReport:
    """Put off what is to be told later, remove the rest, and report."""
    later = [hits[id(hit)][0] for hit in delivery.later]
    if delivery.dropped and not (delivery.taken or later or _may_be_counted(delivery)):
        later = [amount for amount, _ in hits.values()]  # it said no: to a wrong key, perhaps
    held = [hits[id(hit)][0] for hit in delivery.held]
    for each in later:
        each.tries = min(each.tries + (each not in held), MAX_TRIES)
    waiting.put_off(later, partial(_pause, timedelta(seconds=delivery.pause_seconds)))
    done = [each for each in amounts if each not in later]
    waiting.remove(done)
    if dropped := len(done) - delivery.taken:
        reasons = "; ".join(delivery.dropped) or "the service does not take them"
        logger.error("%d amounts are not told to %a: %s.", dropped, service.alias, reasons)
    return ForwardReport(delivery.taken, len(later), dropped)


def _may_be_counted(delivery: Delivery) -> bool:
    return any("may have counted" in reason for reason in delivery.dropped)


def _hits(amount: ForwardedAmount, service: Service) -> Iterator[Hit]:
    """Yield the hit of an amount, unless there can be none: that must not stop the others."""
    try:
        hit = hit_of(amount)
    except (HitError, ArithmeticError, ValueError) as error:
        logger.error("An amount of %a is not told: %s.", amount.counter, type(error).__name__)
        return
    if service.max_age is not None and timezone.now() - hit.happened_at > service.max_age:
        # A service that was away for long takes it as of now, or not at all.
        hit = replace(hit, happened_at=timezone.now())
    yield hit


def _pause(asked: timedelta, tries: int) -> timedelta:
    return max(asked, min(FIRST_PAUSE * 2.0 ** min(max(tries - 1, 0), 10), LONGEST_PAUSE))


def hit_of(amount: ForwardedAmount) -> Hit:
    """Return the event that tells of an amount. It is nobody's visit.

    Raises ``HitError`` if there can be none.
    """
    forward = forward_of(amount.data_class, amount.counter)
    values: dict[str, Any] = {
        "category": forward.category if forward else amount.data_class,
        "action": forward.action if forward else amount.counter,
        "label": f"{amount.model} {amount.object_id}",
    }
    number = Decimal(amount.amount)
    if abs(number) <= MAX_NUMBER:
        is_whole = number == number.to_integral_value()
        values["value"] = int(number) if is_whole else float(number)
    at = amount.folded_at
    return Hit(
        kind=EVENT,
        client_id=str(uuid5(NAMESPACE_URL, f"trackable:{amount.data_class}")),
        happened_at=at if timezone.is_aware(at) else timezone.make_aware(at),
        is_interaction=False,
        location=f"app://localhost/{amount.model}/{quote(amount.object_id)}",
        user_agent=f"trackable/{__version__}",
        address=NOBODY,
        values=values,
        # Exact, and of any length; a value is a number of JSON's.
        properties={"amount": amount.amount, "period": amount.period or None},
    )
