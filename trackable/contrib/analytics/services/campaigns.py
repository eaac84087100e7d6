"""Campaigns: what the query of a page's URL says of where a visitor came from."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

#: parameter of the URL -> attribute of ``SessionParameters``
NAMES: Final = {
    "utm_campaign": "campaign_name",
    "utm_source": "campaign_source",
    "utm_medium": "campaign_medium",
    "utm_term": "campaign_keyword",
    "utm_content": "campaign_content",
    "utm_id": "campaign_id",
    "gclid": "google_adwords_id",
    "dclid": "google_display_ads_id",
}
#: The parser refuses more, and takes its time for them.
MAX_FIELDS: Final = 200


def campaign_of(location: str) -> dict[str, str]:
    """Return what a URL says of its campaign; nothing for one that cannot be read."""
    if not any(name in location for name in ("utm_", "clid=")):
        return {}
    try:
        fields = parse_qsl(urlsplit(location).query, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {NAMES[name]: value for name, value in fields if name in NAMES}
