"""Counting: what partners send and what comes of it, on the days of the site."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from trackable import messaging
from trackable.contrib.affiliations.models import Partner, PartnerData

if TYPE_CHECKING:
    from django.http import HttpRequest


def count(
    partner: Partner,
    field_name: str,
    *,
    request: HttpRequest | None = None,
    when: datetime | None = None,
) -> None:
    """Count one for a partner, now or when it was, which may be without a time zone.

    The day is the site's, whatever zone is activated for a visitor, as it is in the report.
    """
    zone = timezone.get_default_timezone()
    options: dict[str, Any] = {}
    if when is not None:
        options["when"] = when if timezone.is_aware(when) else timezone.make_aware(when, zone)
    with timezone.override(zone):
        messaging.send_increment_message(request, partner, field_name, PartnerData, options)
