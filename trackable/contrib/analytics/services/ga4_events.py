"""What GA4 is told of a hit: events, with parameters.

The names are those of Google's *Measurement Protocol Events* and *Recommended events*; where there
is none for what the old protocol had, gtag.js's own translation is taken (``event_category``,
``timing_complete``, ``exception``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trackable.contrib.analytics.hits import (
    EVENT,
    EXCEPTION,
    PAGEVIEW,
    SCREENVIEW,
    SOCIAL,
    TIMES,
    TIMING,
    TRANSACTION,
    Hit,
)
from trackable.contrib.analytics.services.campaigns import campaign_of
from trackable.contrib.analytics.services.ga4_names import event_name
from trackable.contrib.analytics.services.goods import number, value_of_goods

Event = tuple[str, dict[str, Any]]

#: product action of the old protocol -> event
ACTIONS: Final = {
    "detail": "view_item",
    "click": "select_item",
    "add": "add_to_cart",
    "remove": "remove_from_cart",
    "checkout": "begin_checkout",
    "checkout_option": "checkout_option",
    "purchase": "purchase",
    "refund": "refund",
}
#: key of a hit's item -> of GA4's
ITEM: Final = {
    "sku": "item_id",
    "name": "item_name",
    "brand": "item_brand",
    "category": "item_category",
    "variant": "item_variant",
    "price": "price",
    "quantity": "quantity",
    "coupon_code": "coupon",
    "position": "index",
}
#: attribute of ``SessionParameters`` -> parameter of ``campaign_details``
CAMPAIGN: Final = {
    "campaign_name": "campaign",
    "campaign_source": "source",
    "campaign_medium": "medium",
    "campaign_keyword": "term",
    "campaign_content": "content",
    "campaign_id": "campaign_id",
}


def events_of(hit: Hit) -> Iterator[Event]:
    """Yield the names and parameters of the events that tell of a hit."""
    if hit.kind == PAGEVIEW and (campaign := campaign_of(hit.location)):
        found = {CAMPAIGN[name]: v for name, v in campaign.items() if name in CAMPAIGN}
        if found:
            yield "campaign_details", found
    yield _event_of(hit)
    action = ACTIONS.get(str(hit.values.get("product_action")))
    if action and hit.kind != TRANSACTION:
        yield action, _goods(hit.values)


def _event_of(hit: Hit) -> Event:
    values = hit.values
    if hit.kind == TRANSACTION:
        return "purchase", _goods(values)
    if hit.kind == PAGEVIEW:
        return "page_view", {}
    if hit.kind == SCREENVIEW:  # ``screen_view`` is for the streams of apps alone
        names = ("screen_name", "app_name", "app_id", "app_version")
        return "screenview", {name: values.get(name) for name in names}
    if hit.kind == EXCEPTION:
        fatal = int(bool(values.get("fatal")))
        return "exception", {"description": values.get("description"), "fatal": fatal}
    return _named_event(hit)


def _named_event(hit: Hit) -> Event:
    """Return the event of a hit that has a name of the developer's."""
    values = hit.values
    if hit.kind == EVENT:
        told = {f"event_{n}": values.get(n) for n in ("category", "label")}
        return _named(values["action"], {**told, "value": number(values.get("value"))})
    if hit.kind == SOCIAL:
        return _named(values["action"], {"method": values["network"], "item_id": values["target"]})
    assert hit.kind == TIMING, hit.kind
    return "timing_complete", {
        "name": values["user_timing_variable"],
        "value": number(values["user_timing_value"]),
        "event_category": values["user_timing_category"],
        "event_label": values.get("user_timing_label"),
        **{name: number(values.get(name)) for name in sorted(TIMES)},
    }


def _named(action: Any, parameters: dict[str, Any]) -> Event:
    """Return an event with a name that GA4 takes, and beside it the name as it was meant."""
    name = event_name(str(action))
    return name, parameters if name == str(action) else {**parameters, "event_action": action}


def _goods(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "transaction_id": values.get("transaction_id"),
        "currency": values.get("currency_code"),
        "value": value_of_goods(values),
        "tax": number(values.get("tax")),
        "shipping": number(values.get("shipping")),
        "coupon": values.get("coupon_code"),
        "affiliation": values.get("affiliation"),
        "item_list_name": values.get("product_action_list"),
        "checkout_step": number(values.get("checkout_step")),
        "checkout_option": values.get("checkout_step_option"),
        "items": [
            {ITEM[name]: item[name] for name in ITEM if name in item}
            for item in values.get("items", [])
        ],
    }
