"""Delivering: hits to a service, over HTTP, and what became of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.reporting import log
from trackable.contrib.analytics.sending.backoff import MOST_ASKED_SECONDS
from trackable.contrib.analytics.sending.breaker import Breaker
from trackable.contrib.analytics.services.base import Request, Response, Service

logger = logging.getLogger(__name__)

MAX_REMARK_LENGTH: Final = 500
#: of a pause: with more digits it is a mistake
MAX_DIGITS: Final = 5


@dataclass
class Delivery:
    """What became of hits: ``later`` are those that may be tried again, after a pause."""

    taken: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    later: list[Hit] = field(default_factory=list)
    #: those of them that were not tried
    held: list[Hit] = field(default_factory=list)
    why_later: str = ""
    #: what the service has asked for
    pause_seconds: float = 0.0


def deliver(
    service: Service,
    hits: Sequence[Hit],
    *,
    breaker: Breaker,
    may_go: Callable[[], bool],
    timeouts_seconds: tuple[float, float],
) -> Delivery:
    """Tell a service of hits. Never raises.

    ``may_go`` is asked before each request, and may wait; what it does not let go is for later.
    No hit is for later that may have been counted already, in whole or in part.
    """
    work = _Work(service, breaker, timeouts_seconds)
    try:
        requests = service.requests_for(hits)
    except Exception as error:
        log(f"The service {service.alias!a} failed at making requests", error)
        work.delivery.dropped["the service failed at making requests"] += len(hits)
        return work.delivery
    for request in requests:
        if work.is_postponed(request):
            continue
        if may_go():
            work.send(request)
        else:
            work.hold(request)
    return work.delivery


class _Work:
    """The requests of one delivery."""

    def __init__(
        self, service: Service, breaker: Breaker, timeouts_seconds: tuple[float, float]
    ) -> None:
        self.service = service
        self.breaker = breaker
        self.timeouts_seconds = timeouts_seconds
        self.delivery = Delivery()
        self._begun: set[int] = set()
        self._postponed: set[int] = set()

    def is_postponed(self, request: Request) -> bool:
        """Tell whether part of a hit is for later, so that all of it is; then postpone the rest."""
        if not any(id(hit) in self._postponed for hit in request.hits):
            return False
        self.postpone(request, self.delivery.why_later)
        return True

    def postpone(self, request: Request, why: str) -> None:
        """Keep hits for later, except those of which a part was counted already."""
        fresh = [hit for hit in request.hits if id(hit) not in self._begun | self._postponed]
        self._postponed.update(map(id, fresh))
        self.delivery.later += fresh
        self.delivery.why_later = why
        if parts := sum(id(hit) in self._begun for hit in request.hits):
            self.delivery.dropped["only a part of a transaction was taken"] += parts

    def hold(self, request: Request) -> None:
        """Keep hits for later that the breaker has held back."""
        number = len(self.delivery.later)
        self.postpone(request, "the service is left alone for now")
        self.delivery.held += self.delivery.later[number:]

    def send(self, request: Request) -> None:
        from trackable.contrib.analytics.sending import transport

        try:
            answer = transport.exchange(request, timeouts_seconds=self.timeouts_seconds)
        except transport.UnreachableError as error:
            self._failed(f"it cannot be reached ({error})")
            self.postpone(request, f"it cannot be reached ({error})")
        except transport.UnansweredError as error:
            self._failed(f"it does not answer ({error})")
            self._drop(request, f"it did not answer ({error}), and may have counted them")
        else:
            self._answered(request, answer)

    def _answered(self, request: Request, answer: Response) -> None:
        if answer.is_ok:
            self._succeeded()
            self._begun.update(map(id, request.hits))
            self.delivery.taken += len(request.hits)
            self._log(answer)
            return
        why = f"it answered {answer.status}"
        if answer.status >= 500 or answer.status == 429:
            self._failed(why)
            self._rest(_asked_seconds(answer))
        else:
            self._succeeded()
        if self.service.may_repeat(answer.status):
            self.postpone(request, why)
        else:
            doubt = ", and may have counted them" if answer.status >= 500 else ""
            self._drop(request, why + doubt)

    def _drop(self, request: Request, why: str) -> None:
        self._begun.update(map(id, request.hits))
        self.delivery.dropped[why] += len(request.hits)

    def _succeeded(self) -> None:
        if self.breaker.succeed():
            logger.warning("The service %a answers again.", self.service.alias)

    def _failed(self, why: str) -> None:
        if self.breaker.fail():
            seconds = self.breaker.open_seconds
            text = "The service %a is left alone, and tried again every %g s: %s."
            logger.warning(text, self.service.alias, seconds, why)

    def _rest(self, asked_seconds: float) -> None:
        """Leave a service alone for as long as it asks, whoever has hits for it."""
        if not asked_seconds:
            return
        self.delivery.pause_seconds = max(self.delivery.pause_seconds, asked_seconds)
        if self.breaker.rest(asked_seconds):
            text = "The service %a asks to be left alone for %g s."
            logger.warning(text, self.service.alias, asked_seconds)

    def _log(self, answer: Response) -> None:
        try:
            for remark in self.service.parse(answer):
                text = ascii(remark.text[:MAX_REMARK_LENGTH])
                logger.log(remark.level, "The service %a says: %s", self.service.alias, text)
        except Exception as error:
            log(f"The service {self.service.alias!a} failed at an answer", error)


def _asked_seconds(answer: Response) -> float:
    """Return the pause that an answer asks for, up to a bound; dates are not looked at."""
    asked = answer.headers.get("retry-after", "")
    is_number = asked.isdecimal() and len(asked) <= MAX_DIGITS
    return min(float(asked), MOST_ASKED_SECONDS) if is_number else 0.0
