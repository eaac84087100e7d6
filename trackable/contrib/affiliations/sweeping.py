"""Sweeping: whatever is due is tried, partner by partner in turns, so that none holds up others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Min, QuerySet
from django.utils import timezone

from trackable.contrib.affiliations import conf, delivery

if TYPE_CHECKING:
    from trackable.contrib.affiliations.models import Callback
    from trackable.contrib.affiliations.sending import Answer

logger = logging.getLogger(__name__)

#: After so many calls of a partner, or the time that one may take, it is another's turn.
CALLS_A_TURN: Final = 100


@dataclass(slots=True)
class SweepReport:
    """What a sweep has done: ``failed`` ones are tried again unless they are given up."""

    delivered: int = 0
    failed: int = 0
    refused: int = 0

    @property
    def calls(self) -> int:
        return self.delivered + self.failed + self.refused

    def note(self, answer: Answer) -> None:
        if answer.is_success:
            self.delivered += 1
        elif answer.is_refused:
            self.refused += 1
        else:
            self.failed += 1


Progress = Callable[[SweepReport], None]


def deliver_due(
    *,
    using: str | None = None,
    max_seconds: float | None = None,
    progress: Progress | None = None,
) -> SweepReport:
    """Try each callback that is due, once, and return what came of them.

    Begins no call after ``max_seconds``. ``progress`` is called with the report after each call;
    what it raises ends the sweep there. Safe beside other sweeps and workers. Raises what Django
    raises.
    """
    sweep = _Sweep(using or delivery.database(), max_seconds, progress)
    sweep.run()
    if sweep.report.calls:
        logger.info("Callbacks: %s", sweep.report)
    return sweep.report


class _Sweep:
    """One pass over what was due when it began: what is tried is due at a later time only."""

    def __init__(self, using: str, max_seconds: float | None, progress: Progress | None) -> None:
        self.report = SweepReport()
        self._using = using
        self._progress = progress
        self._began_at = timezone.now()
        self._ends_at = time.monotonic() + (float("inf") if max_seconds is None else max_seconds)
        self._turn_seconds = float(conf.get("CALLBACK_TIMEOUT"))
        #: partners with nothing more to try, and those who wait for the next sweep
        self._left: set[int] = set()

    def run(self) -> None:
        while partners := self._partners():
            for partner_id in partners:
                if time.monotonic() >= self._ends_at:
                    return
                if not self._turn(partner_id):
                    self._left.add(partner_id)

    def _partners(self) -> list[int]:
        """Return who has something due: the partner who has waited longest comes first."""
        found = self._due().exclude(visitor__partner__in=self._left).order_by()
        waiting = found.values_list("visitor__partner").annotate(since=Min("due_at"))
        return [partner_id for partner_id, _ in waiting.order_by("since")]

    def _due(self) -> QuerySet[Callback]:
        return delivery.due(self._using, by=self._began_at)

    def _turn(self, partner_id: int) -> bool:
        """Call a partner; tell whether that should go on after the others.

        It should not if the time has passed and nothing was delivered: somebody hangs there.
        """
        began, delivered = time.monotonic(), self.report.delivered
        found = self._due().filter(visitor__partner=partner_id).values_list("pk", flat=True)
        keys = list(found[:CALLS_A_TURN])
        for pk in keys:
            self._try(pk)
            now = time.monotonic()
            if now >= self._ends_at:
                return False
            if now - began >= self._turn_seconds:
                return self.report.delivered > delivered
        return len(keys) == CALLS_A_TURN

    def _try(self, pk: int) -> None:
        answer = delivery.deliver(pk, self._using)
        if answer is not None:
            self.report.note(answer)
            if self._progress is not None:
                self._progress(self.report)
