"""What tests of the quarantine share: messages that are in it, and are folded again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from trackable import batches
from trackable.batches import Batch, Malformed, id_time
from trackable.folding import ledger, quarantine
from trackable.folding.quarantine import Reject
from trackable.folding.retry import RetryReport, retry
from trackable.models import QuarantinedMessage
from trackable_tests.testapp.models import Page


def messages(alias: str = "default") -> QuerySet[QuarantinedMessage]:
    """Return what is in the quarantine, oldest first."""
    return QuarantinedMessage.objects.using(alias).order_by("pk")


def set_aside(*sent: Batch, reason: str = "why", alias: str = "default") -> None:
    """Have batches in the quarantine and the ledger, as if they had been unfit when they came."""
    ledger.claim(alias, sent)
    rejects = [reject for each in sent for reject in Reject.of_batch(each, reason)]
    quarantine.put(alias, rejects, timezone.now())


def long_ago(sent: Batch) -> Batch:
    """Return a batch as if its segment were older than the ledger remembers."""
    moment = timezone.now() - ledger.horizon() - timedelta(minutes=1)
    time = id_time(moment.timestamp())
    return replace(sent, id=time + sent.id[len(time) :])


def unreadable(sent: Batch) -> Malformed:
    """Return a batch as it is to a fold that knows no such version yet."""
    return Malformed.of(sent.data_class, batches.encode(sent), "version 1 is not known here")


def again(**options: Any) -> RetryReport:
    """Fold again what is in the quarantine."""
    return retry("default", messages(), **options)


def appear(pk: int) -> Page:
    """Make the object that a message is about."""
    return Page.objects.create(pk=pk, title="a", slug=f"s{pk}")
