"""Triggers: what a site sees of its visitors that partners are called for.

``object_created`` and ``object_saved`` are receivers for ``AFFILIATE_TRIGGERS``; one's own call
``complete_trigger``. None of them raises into the code that is watched.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from trackable.contrib.affiliations import callback_urls, counting, current, sessions, visitors
from trackable.contrib.affiliations.models import Callback, Subscription, Visitor
from trackable.contrib.affiliations.reporting import report

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest


def object_created(
    sender: Any,
    instance: Model,
    affiliate_trigger_name: str,
    created: bool = False,
    **kwargs: Any,
) -> None:
    """Complete a trigger when an object is created; a receiver of ``post_save``.

    A user who registers is the user of the success.
    """
    if created:
        object_saved(sender, instance, affiliate_trigger_name, **kwargs)


def object_saved(
    sender: Any,
    instance: Model,
    affiliate_trigger_name: str,
    raw: bool = False,
    **kwargs: Any,
) -> None:
    """Complete a trigger when an object is saved, but not loaded of a fixture."""
    request = current.request()
    if request is not None and not raw:
        user = instance if isinstance(instance, get_user_model()) else None
        complete_trigger(request, affiliate_trigger_name, user=user)


def complete_trigger(request: HttpRequest | None, name: str, *, user: Any = None) -> bool:
    """Note the success of the request's visitor, and have the partner called after the commit.

    Only if the partner is active and subscribes to the trigger. A trigger that completes again
    calls nobody again. ``user`` is of whom the success is if the request's user is anonymous.
    Returns whether the partner will be called. An error is logged, and leaves the transaction at
    hand as it was; but of a deadlock MariaDB and MySQL undo the whole transaction.
    """
    try:
        visitor_id = None if request is None else _visitor_id_of(request)
        if request is None or visitor_id is None:
            return False
        with transaction.atomic(using=visitors.database()):
            return _complete(request, visitor_id, name, user)
    except Exception as error:  # the edge: what is watched goes on
        report("A trigger was not completed", error)
        return False


def _visitor_id_of(request: HttpRequest) -> int | None:
    """Return whom a request is of; a savepoint is taken only if it may be somebody."""
    is_known = _knows_visitor(request) or _knows_visitor(current.request())
    if not is_known and sessions.value_of(request) is sessions.NOTHING:
        return None
    if visitors.is_crawler(request):
        return None
    with transaction.atomic(using=visitors.database()):
        return getattr(getattr(request, "affiliate_visitor", None), "pk", None)


def _knows_visitor(request: HttpRequest | None) -> bool:
    """Tell whether a request has a visitor already; of a wrapper, what it wraps has."""
    return request is not None and request.__dict__.get("affiliate_visitor") is not None


def _complete(request: HttpRequest, visitor_id: int, name: str, user: Any) -> bool:
    """Do what is to be done, in a transaction of which the first step locks the visitor."""
    visitor = visitors.find(visitor_id, lock=True)
    subscription = None if visitor is None else _subscription_of(visitor, name)
    if visitor is None or subscription is None:
        return False
    if visitor.succeed(visitors.user_of(request) or user):
        _after_commit(_count, visitor)
    is_owed = _owe(visitor, subscription)
    sessions.forget_converted(request, visitor.pk, using=visitors.database())
    return is_owed


def _subscription_of(visitor: Visitor, name: str) -> Subscription | None:
    """Return the subscription to exactly this name, of a partner that is active."""
    if not visitor.partner.active:
        return None
    rows = Subscription._base_manager.using(visitors.database())
    found = rows.filter(partner=visitor.partner, trigger=name)
    return next((row for row in found if row.trigger == name), None)


def _owe(visitor: Visitor, subscription: Subscription) -> bool:
    """Write the call that the partner is owed; tell whether it was not written before."""
    rows = Callback._base_manager.using(visitors.database())
    name = subscription.trigger
    if not subscription.callback_url or rows.filter(visitor=visitor, trigger=name).exists():
        return False
    url = callback_urls.for_visitor(subscription.callback_url, visitor.pk)
    try:
        with transaction.atomic(using=visitors.database()):
            callback = rows.create(
                visitor=visitor, subscription=subscription, trigger=name, url=url
            )
    except IntegrityError:  # written by another request, just now
        return False
    _after_commit(_announce, callback.pk)
    return True


def _after_commit(function: Any, argument: Any) -> None:
    alias = visitors.database()
    transaction.on_commit(partial(function, argument, alias), using=alias, robust=True)


def _count(visitor: Visitor, alias: str) -> None:
    counting.count(visitor.partner, "conversions", when=visitor.successful_on)


def _announce(callback_id: int, alias: str) -> None:
    from trackable.contrib.affiliations import delivery  # later: it brings the broker

    delivery.announce(callback_id, using=alias)
