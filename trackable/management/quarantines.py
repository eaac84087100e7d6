"""Quarantines: what is in them, as a command selects and prints it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db.models import Count, FloatField, Min, QuerySet, Sum
from django.db.models.functions import Cast
from django.utils import timezone

from trackable.folding.quarantine import OLDER, opened_at
from trackable.management.printing import printable
from trackable.models import QuarantinedMessage
from trackable.status.words import duration

#: Few enough to be in memory with their payloads.
PAGE_SIZE: Final = 20
GROUPS_AT_A_TIME: Final = 500

Messages = QuerySet[QuarantinedMessage]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages: what is ``None`` selects all."""

    data_class: str | None = None
    reason: str | None = None
    before: datetime | None = None

    def messages(self, alias: str) -> Messages:
        """Return the selected messages of a database, newest first."""
        found = QuarantinedMessage._base_manager.using(alias).order_by("-pk")
        if self.data_class is not None:
            found = found.filter(data_class=self.data_class)
        if self.reason is not None:
            found = found.filter(reason__icontains=self.reason)
        if self.before is not None:
            found = found.filter(quarantined_at__lt=self.before)
        return found


def rows(messages: Messages, limit: int | None) -> Iterator[str]:
    """Yield a line for each message, below their headings."""
    yield f"{'id':>8}  {'age':>12}  {'increments':>10}  {'batch':32}  class: reason"
    for message in islice(_pages(messages.defer("payload")), limit):
        age = duration(_age_seconds(message.quarantined_at))
        what = f"{printable(message.data_class)}: {printable(message.reason)}"
        yield f"{message.pk:>8}  {age:>12}  {message.increments:>10}  {message.batch_id:32}  {what}"


def objects(alias: str, messages: Messages, limit: int | None) -> Iterator[dict[str, Any]]:
    """Yield the messages as JSON has them."""
    for message in islice(_pages(messages), limit):
        opened = opened_at(message)
        yield {
            "database": alias,
            "id": message.pk,
            "class": message.data_class,
            "reason": message.reason,
            "increments": message.increments,
            "may_be_counted": message.reason.startswith(OLDER),
            "batch": message.batch_id,
            "emitted_from": opened and opened.isoformat(),
            "quarantined_at": message.quarantined_at.isoformat(),
            "age_seconds": round(_age_seconds(message.quarantined_at)),
            "retried_at": message.retried_at and message.retried_at.isoformat(),
            "payload": message.payload,
        }


def _pages(messages: Messages) -> Iterator[QuarantinedMessage]:
    """Yield messages newest first, a few of them in memory at a time."""
    page = list(messages[:PAGE_SIZE])
    while page:
        yield from page
        page = list(messages.filter(pk__lt=page[-1].pk)[:PAGE_SIZE])


def groups(alias: str, messages: Messages, limit: int | None) -> Iterator[dict[str, Any]]:
    """Yield the reasons with their numbers, the most frequent ones first."""
    # As floats: what strangers claim may be more than an integer of SQLite's.
    increments = Sum(Cast("increments", FloatField()))
    found = messages.order_by().values("data_class", "reason")
    counted = found.annotate(
        number=Count("pk"), increments_=increments, oldest=Min("quarantined_at")
    )
    ordered = counted.order_by("-number", "data_class", "reason")[:limit]
    # Each message may have a reason of its own.
    for group in ordered.iterator(chunk_size=GROUPS_AT_A_TIME):
        yield {
            "database": alias,
            "class": group["data_class"],
            "reason": group["reason"],
            "messages": group["number"],
            "increments": int(group["increments_"]),
            "oldest_age_seconds": round(_age_seconds(group["oldest"])),
        }


def group_rows(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each reason, below their headings."""
    yield f"{'messages':>8}  {'oldest':>12}  {'increments':>10}  class: reason"
    for group in found:
        age = duration(group["oldest_age_seconds"])
        what = f"{printable(group['class'])}: {printable(group['reason'])}"
        yield f"{group['messages']:>8}  {age:>12}  {group['increments']:>10}  {what}"


def array(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a JSON array, in printable ASCII, with an object on each."""
    yield "["
    before = None
    for each in found:
        if before is not None:
            yield f"{before},"
        before = json.dumps(each).replace("\x7f", "\\u007f")
    if before is not None:
        yield before
    yield "]"


def _age_seconds(moment: datetime) -> float:
    return max((timezone.now() - moment).total_seconds(), 0.0)
