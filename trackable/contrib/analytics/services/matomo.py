"""Matomo's tracking API, one hit at a time and in bulk.

Figures are those of Matomo's *Tracking HTTP API*
(https://developer.matomo.org/api-reference/tracking-api): ``_id`` of 16 hexadecimal characters;
``cip``, and ``cdt`` older than 24 hours, only with ``token_auth``; bulk requests in the order in
which things happened. It states no length and no number of requests.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Final

from trackable.contrib.analytics import conf, plain
from trackable.contrib.analytics.exceptions import RefusedError
from trackable.contrib.analytics.hits import (
    EVENT,
    EXCEPTION,
    PAGEVIEW,
    SCREENVIEW,
    SOCIAL,
    TIMING,
    TRANSACTION,
    Hit,
)
from trackable.contrib.analytics.options import Option, indices, text, token, url, whole
from trackable.contrib.analytics.parameters import UP, Number, Text, UrlGenerator, Whole
from trackable.contrib.analytics.services.base import Remark, Request, Response, Service, encoded
from trackable.contrib.analytics.services.goods import number, revenue_of, value_of_items

MAX_BULK: Final = 50
#: within which the time of a hit may be told without a token
UNTOKENED: Final = timedelta(hours=24)
VISITOR_ID: Final = re.compile(r"[0-9a-fA-F]{16}")
ONE: Final = Whole(least=1, most=1)
#: A text that is as long as this is cut: the columns of Matomo's tables end there or sooner.
NAME: Final = Text(1024)


class MatomoParameters(UrlGenerator):
    """What a request tells; those that need ``token_auth`` are at the end."""

    idsite = UP("idsite", True, Whole(least=1))
    rec = UP("rec", True, ONE)
    apiv = UP("apiv", type=ONE)
    rand = UP("rand")
    send_image = UP("send_image", type=Whole(least=0, most=1))
    custom_action = UP("ca", type=ONE)

    action_name = UP("action_name", type=NAME)
    url_ = UP("url", type=Text(2048))
    referrer = UP("urlref", type=Text(2048))
    visitor_id = UP("_id", type=Text(16))
    user_id = UP("uid", type=Text(200))
    user_agent = UP("ua")
    language = UP("lang", type=Text(20))
    resolution = UP("res", type=Text(18))
    hour = UP("h", type=Whole(least=0, most=23))
    minute = UP("m", type=Whole(least=0, most=59))
    second = UP("s", type=Whole(least=0, most=59))
    new_visit = UP("new_visit", type=ONE)

    event_category = UP("e_c", type=NAME)
    event_action = UP("e_a", type=NAME)
    event_name = UP("e_n", type=NAME)
    event_value = UP("e_v", type=Number())

    goal = UP("idgoal", type=Whole(least=0))
    revenue = UP("revenue", type=Number())
    order_id = UP("ec_id", type=Text(100))
    order_items = UP("ec_items")
    order_subtotal = UP("ec_st", type=Number())
    order_tax = UP("ec_tx", type=Number())
    order_shipping = UP("ec_sh", type=Number())
    order_discount = UP("ec_dt", type=Number())

    product_sku = UP("_pks", type=NAME)
    product_name = UP("_pkn", type=NAME)
    product_category = UP("_pkc", type=NAME)
    product_price = UP("_pkp", type=Number())

    happened_at = UP("cdt")
    address = UP("cip")


class MatomoService(Service):
    """Sends hits as URL parameters, or in bulk as JSON that holds these."""

    name = "matomo"
    max_bulk = MAX_BULK
    options: ClassVar[Mapping[str, Option]] = {
        "url": url(is_required=True),
        "path": text("/matomo.php"),
        "site_id": Option(
            None, "a whole number from 1", lambda v: type(v) is int and v > 0, is_required=True
        ),
        "token_auth": token("Matomo's token_auth", is_required=False, is_secret=True),
        "dimensions": indices(999),
        "max_bulk": whole(MAX_BULK, least=1, most=1000),
    }

    def __init__(self, given: Mapping[str, Any], *, alias: str = "") -> None:
        super().__init__(given, alias=alias)
        self.max_bulk = self.option("max_bulk")

    @property
    def token(self) -> str:
        return str(self.option("token_auth") or "")

    def requests_of(self, hits: Sequence[Hit], *, now: datetime) -> Iterator[Request]:
        in_order = sorted(hits, key=lambda hit: hit.happened_at)
        found = [(hit, self.taking(self.parameters_of, hit, now=now)) for hit in in_order]
        known = [(hit, parameters) for hit, parameters in found if parameters]
        if known and (len(known) > 1 or self.token):
            for start in range(0, len(known), self.max_bulk):
                yield self._bulk(known[start : start + self.max_bulk])
        elif known:
            hit, parameters = known[0]
            if (request := self.taking(self._single, hit, parameters=parameters)) is not None:
                yield request

    def _single(self, hit: Hit, *, parameters: dict[str, Any]) -> Request:
        return self.get_or_post(self.option("path"), parameters, hit=hit)

    def _bulk(self, found: list[tuple[Hit, dict[str, Any]]]) -> Request:
        # The token goes into a body, which servers do not log, and never into a URL.
        data: dict[str, Any] = {"requests": [f"?{encoded(each)}" for _, each in found]}
        if self.token:
            data["token_auth"] = self.token
        return self.post_json(self.option("path"), data, hits=[hit for hit, _ in found])

    def parameters_of(self, hit: Hit, *, now: datetime) -> dict[str, Any]:
        """Return what is sent of a hit."""
        if not self.token and now - hit.happened_at > UNTOKENED:
            raise RefusedError("hits older than a day are not sent without token_auth")
        found = {
            "idsite": self.option("site_id"),
            "rec": 1,
            "apiv": 1,
            "send_image": 0,
            "rand": secrets.token_hex(8) if conf.get("send_method") == "GET" else None,
            **_page(hit),
            **_visitor(hit),
            **_of_kind(hit),
            "happened_at": int(hit.happened_at.astimezone(UTC).timestamp()),
            "address": (hit.address or None) if self.token else None,
        }
        return {**MatomoParameters.fitting(**found).url(), **self._dimensions(hit)}

    def _dimensions(self, hit: Hit) -> dict[str, Any]:
        indices = self.option("dimensions").items()
        found = {f"dimension{n}": hit.properties.get(k) for k, n in indices}
        return {k: NAME.fit(plain.shown(v)) for k, v in found.items() if v is not None}

    def parse(self, response: Response) -> Iterator[Remark]:
        """Yield how many requests of a bulk one were invalid."""
        answer = response.json()
        if isinstance(answer, dict) and (invalid := answer.get("invalid")):
            tracked = answer.get("tracked")
            text = f"{invalid} requests of a bulk one are invalid, {tracked} were tracked"
            yield Remark(logging.WARNING, text)


def visitor_id(client_id: str) -> str:
    """Return the 16 hexadecimal characters that stand for a client id."""
    if VISITOR_ID.fullmatch(client_id):
        return client_id.lower()
    return sha256(client_id.encode("utf-8", "replace")).hexdigest()[:16]


def _visitor(hit: Hit) -> dict[str, Any]:
    return {
        "visitor_id": visitor_id(hit.client_id),
        "user_id": hit.user_id or None,
        "user_agent": hit.user_agent or None,
        "language": hit.language or None,
        "resolution": hit.screen_resolution or None,
    }


def _page(hit: Hit) -> dict[str, Any]:
    title = hit.values.get("screen_name") if hit.kind == SCREENVIEW else hit.title
    return {
        "url_": hit.location or None,
        "referrer": hit.referrer or None,
        "action_name": (title or None) if hit.kind in (PAGEVIEW, SCREENVIEW) else None,
    }


def _of_kind(hit: Hit) -> dict[str, Any]:
    """Return what only hits of its kind have; an event for what Matomo has no word for."""
    values = hit.values
    if hit.kind == TRANSACTION:
        return _order(values)
    if hit.kind == EVENT:
        names = ("category", "action", "label", "value")
        return _event(*(values.get(name) for name in names))
    if hit.kind == SOCIAL:
        return _event(values["network"], values["action"], values["target"])
    if hit.kind == EXCEPTION:
        fatal = "fatal" if values.get("fatal") else "not fatal"
        return _event("Exception", fatal, values.get("description"))
    if hit.kind == TIMING:
        names = ("category", "variable", "label", "value")
        return _event(*(values.get(f"user_timing_{name}") for name in names))
    return _viewed_product(values)


def _event(category: Any, action: Any, name: Any = None, value: Any = None) -> dict[str, Any]:
    """Return an event; its category and action must not be empty, nor blank."""
    if not str(category).strip() or not str(action).strip():
        raise RefusedError("events need a category and an action")
    return {
        "custom_action": 1,
        "event_category": category,
        "event_action": action,
        "event_name": name,
        "event_value": value,
    }


def _order(values: Mapping[str, Any]) -> dict[str, Any]:
    items = [
        [
            str(item.get("sku") or item.get("name") or ""),
            str(item.get("name") or ""),
            str(item.get("category") or ""),
            number(item.get("price")) or 0,
            number(item.get("quantity")) or 1,
        ]
        for item in values.get("items", [])
    ]
    return {
        "goal": 0,
        "order_id": values["transaction_id"],
        "revenue": revenue_of(values),
        "order_subtotal": value_of_items(values) or None,
        "order_tax": values.get("tax"),
        "order_shipping": values.get("shipping"),
        "order_items": json.dumps(items, separators=(",", ":")) if items else None,
    }


def _viewed_product(values: Mapping[str, Any]) -> dict[str, Any]:
    items = values.get("items", [])
    if values.get("product_action") != "detail" or len(items) != 1:
        return {}
    return {f"product_{n}": items[0].get(n) for n in ("sku", "name", "category", "price")}
