"""Visitors: who a session says that its browser is, and who a partner's link makes of it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connections, router
from django.db.models import F, QuerySet
from django.utils import timezone

from trackable import conf as core
from trackable import messaging, notices, spiders
from trackable.contrib.affiliations import attribution, conf, counting, sessions
from trackable.contrib.affiliations.models import Partner, PartnerData, Visitor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest

logger = logging.getLogger(__name__)

MAX_ID: Final = 2**63 - 1
#: What is longer is cut: it is a visitor's, and kept.
MAX_ENTRY_POINT_LENGTH: Final = 2000
FLOOD_PERIOD: Final = timedelta(minutes=1)


def database() -> str:
    """Return the alias of the database that has the visitors.

    It is read too: in a replica, one who was registered a moment ago may not be there yet.
    """
    return router.db_for_write(Visitor)


def find(visitor_id: Any, *, lock: bool = False) -> Visitor | None:
    """Return the visitor with an id, which may be anything; ``None`` if they do not count.

    Those do not who are not there, are erased, or came too long ago. Locked, the visitor stays
    what they are until the end of the transaction at hand.
    """
    if type(visitor_id) is not int or not 0 < visitor_id <= MAX_ID:
        return None
    rows = _rows().filter(pk=visitor_id, erased_on=None)
    # Not both: with the partner locked, one would wait for the other of its visitors.
    found = (_locked(rows) if lock else rows.select_related("partner")).first()
    return found if found is not None and _is_open(found) else None


def of_session(request: HttpRequest) -> Visitor | None:
    """Return the visitor of a request's session; one that points nowhere is cleared."""
    value = sessions.value_of(request)
    if value is sessions.NOTHING:
        return None
    visitor = find(value)
    if visitor is None:
        sessions.forget(request)
    return visitor


def refer(request: HttpRequest, uids: Sequence[str], entry_point: str) -> None:
    """Make the browser of a request a visitor of the first active partner with one of the uids.

    Unless it is a crawler's, keeps no session, or stays the visitor that it is.
    """
    if is_crawler(request):
        messaging.tally_filtered(PartnerData)
        return
    if not sessions.has_one(request):
        return
    entry_point = entry_point[:MAX_ENTRY_POINT_LENGTH]
    partner = _partner_with(uids)
    if partner is None or _stays(request, partner, entry_point) or _is_flood(partner):
        return
    visitor = _rows().create(partner=partner, user=user_of(request), entry_point=entry_point)
    sessions.remember(request, visitor.pk)
    request.affiliate_visitor = visitor  # type: ignore[attr-defined]
    counting.count(partner, "referrals", request=request)


def is_crawler(request: HttpRequest) -> bool:
    """Tell whether a request is of one of those that are to be filtered."""
    return core.get("USER_AGENT_FILTERING") and spiders.verdict_of_request(request) is not None


def user_of(request: HttpRequest) -> Any:
    """Return the user who is logged in, ``None`` if nobody is or nobody looked."""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _locked(rows: QuerySet[Visitor]) -> QuerySet[Visitor]:
    if not connections[rows.db].features.has_select_for_update:
        rows.update(partner=F("partner"))  # SQLite locks what is written, and that for all
    return rows.select_for_update()


def _rows() -> QuerySet[Visitor]:
    return Visitor._base_manager.using(database())


def _is_open(visitor: Visitor) -> bool:
    window_seconds = conf.get("ATTRIBUTION_WINDOW")
    return attribution.is_open(
        visitor.referred_on, now=timezone.now(), window_seconds=window_seconds
    )


def _partner_with(uids: Sequence[str]) -> Partner | None:
    """Return the partner; a database may take one letter for another, so it is not asked alone."""
    rows = Partner._base_manager.using(database()).filter(uid__in=uids, active=True)
    partners = {partner.uid: partner for partner in rows}
    return next((partners[uid] for uid in uids if uid in partners), None)


def _stays(request: HttpRequest, partner: Partner, entry_point: str) -> bool:
    """Tell whether the browser stays the visitor that it is; the last touch moves their time."""
    current = getattr(request, "affiliate_visitor", None)
    if current is None or current.successful_on is not None or not current.partner.active:
        return False
    policy = conf.get("ATTRIBUTION")
    if not attribution.keeps(current.partner_id, partner.pk, attribution=policy):
        return False
    return policy == attribution.FIRST or _touch(current, entry_point)


def _touch(visitor: Visitor, entry_point: str) -> bool:
    """Move a visitor's time and page, unless they succeeded or were erased meanwhile."""
    changes: dict[str, Any] = {"referred_on": timezone.now(), "entry_point": entry_point}
    rows = _rows().filter(pk=visitor.pk, successful_on=None, erased_on=None)
    if not rows.update(**changes):
        return False
    for name, value in changes.items():
        setattr(visitor, name, value)
    return True


def _is_flood(partner: Partner) -> bool:
    """Tell whether a partner has sent as many visitors in a minute as are registered."""
    limit = conf.get("VISITORS_PER_MINUTE")
    if limit is None:
        return False
    recent = _rows().filter(partner=partner, referred_on__gt=timezone.now() - FLOOD_PERIOD)
    if recent[:limit].count() < limit:
        return False
    if notices.is_news(f"affiliations: flood of {partner.pk}"):
        logger.warning("Partner %s sent %s visitors in a minute: no more.", partner.pk, limit)
    return True
