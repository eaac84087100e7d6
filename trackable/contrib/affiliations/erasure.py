"""Erasure: what is personal of a visitor is removed, and what was counted stays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from trackable.contrib.affiliations import visitors
from trackable.contrib.affiliations.models import Attempt, Callback, Visitor

if TYPE_CHECKING:
    from django.db.models import Model


@dataclass(frozen=True, slots=True)
class Erasure:
    """How many visitors were erased, and of how many calls and attempts that were theirs."""

    visitors: int = 0
    callbacks: int = 0
    attempts: int = 0


def erase_visitor(visitor_id: int | None = None, *, user: Model | None = None) -> Erasure:
    """Erase a visitor, or all that a user was, in one transaction; once more erases nothing.

    A visitor keeps the partner and the times, so that the partner's totals stay what they are,
    and loses the user and the entry point. The calls lose their URLs and their attempts; one that
    is owed still is not made any more. The visitor's session leads to nobody from then on.
    """
    if (visitor_id is None) == (user is None):
        raise TypeError("Erase a visitor by the id, or by the user: one of the two.")
    wanted = Q(pk=visitor_id) if user is None else Q(user=user)
    alias = visitors.database()
    with transaction.atomic(using=alias):
        found = _rows(Visitor, alias).filter(wanted).exclude(erased_on__isnull=False, user=None)
        return _erase(list(found.select_for_update().values_list("pk", flat=True)), alias)


def _erase(visitor_ids: Collection[int], alias: str) -> Erasure:
    callbacks = _rows(Callback, alias).filter(visitor__in=visitor_ids)
    attempts = _rows(Attempt, alias).filter(callback__visitor__in=visitor_ids)
    # First the calls, so that no worker begins an attempt behind the deletion.
    callbacks.filter(state=Callback.State.PENDING).update(state=Callback.State.FAILED)
    number = callbacks.update(url="")
    _, removed = attempts.delete()
    found = Erasure(
        callbacks=number,
        attempts=removed.get(Attempt._meta.label, 0),
        visitors=len(visitor_ids),
    )
    changes: dict[str, Any] = {"user": None, "entry_point": "", "erased_on": timezone.now()}
    _rows(Visitor, alias).filter(pk__in=visitor_ids).update(**changes)
    return found


def _rows(model: type[Any], alias: str) -> QuerySet[Any]:
    return QuerySet(model, using=alias)
