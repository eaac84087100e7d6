"""The old Measurement Protocol, of Universal Analytics, for collectors that still accept it.

Figures are those of Google's *Measurement Protocol Reference* and *Working with the Measurement
Protocol* (https://developers.google.com/analytics/devguides/collection/protocol/v1/reference and
.../v1/devguide): a POST of 8,192 bytes at most; a URL of 2,000 bytes in the older text of the
reference, 8,000 in the newer; batches of 20 hits and 16 KB, each of 8 KB.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from trackable.contrib.analytics import conf, plain
from trackable.contrib.analytics import parameters as p
from trackable.contrib.analytics.exceptions import InvalidParametersException, RefusedError
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
from trackable.contrib.analytics.options import Option, indices, text, token, url
from trackable.contrib.analytics.parameters.constants import HIT_TYPE_TRANSACTION_ITEM
from trackable.contrib.analytics.services.base import Remark, Request, Response, Service, encoded
from trackable.contrib.analytics.services.campaigns import campaign_of
from trackable.contrib.analytics.services.goods import enhanced_parameters, revenue_of

GOOGLE: Final = "https://www.google-analytics.com"
MAX_BODY_BYTES: Final = 8192
MAX_BATCH_BYTES: Final = 16 * 1024
MAX_BATCH_HITS: Final = 20
GENERATORS: Final[dict[str, type[p.AbstractUrlGenerator]]] = {
    EVENT: p.EventParameters,
    TRANSACTION: p.EComTransactionParameters,
    SOCIAL: p.SocialInteractionParameters,
    EXCEPTION: p.ExceptionParameters,
    TIMING: p.TimingParameters,
}
DIMENSION: Final = p.Text(150)
METRIC: Final = p.Number()
LEVELS: Final = {"INFO": logging.INFO, "WARN": logging.WARNING, "ERROR": logging.ERROR}


class UniversalService(Service):
    """Sends hits as URL parameters, in batches where the collector takes these."""

    name = "universal"
    max_bulk = MAX_BATCH_HITS
    max_age = timedelta(hours=4)
    has_debug = True
    options: ClassVar[Mapping[str, Option]] = {
        "property": token("a property such as 'UA-XXXXX-Y'"),
        "url": url(GOOGLE),
        "collect_path": text("/collect"),
        "batch_path": text("/batch", demand="a path, or '' if there is none for batches"),
        "debug_path": text("/debug/collect"),
        "data_source": text("web"),
        "dimensions": indices(200),
        "metrics": indices(200),
    }

    def requests_of(self, hits: Sequence[Hit], *, now: datetime) -> Iterator[Request]:
        found = [
            (hit, parameters)
            for hit in hits
            for parameters in self.taking(self.parameters_of, hit, now=now) or ()
        ]
        if len(found) < 2 or not self._takes_batches:
            for hit, parameters in found:
                if (request := self.taking(self._single, hit, parameters=parameters)) is not None:
                    yield request
        else:
            yield from self._batches(found)

    @property
    def _takes_batches(self) -> bool:
        may_post = conf.get("send_method") == "POST" or conf.get("post_fallback")
        return bool(self.option("batch_path")) and bool(may_post) and not self.is_debug

    def _single(self, hit: Hit, *, parameters: dict[str, Any]) -> Request:
        path = self.option("debug_path" if self.is_debug else "collect_path")
        request = self.get_or_post(path, parameters, hit=hit, user_agent=hit.user_agent)
        if len(request.body) > MAX_BODY_BYTES:
            raise RefusedError(f"hits of more than {MAX_BODY_BYTES} bytes are not taken")
        return request

    def _batches(self, found: list[tuple[Hit, dict[str, Any]]]) -> Iterator[Request]:
        hits: list[Hit] = []
        lines: list[bytes] = []
        for hit, parameters in found:
            line = encoded(parameters).encode()
            if len(line) > MAX_BODY_BYTES:
                self.tell(f"hits of more than {MAX_BODY_BYTES} bytes are not taken")
                continue
            size_bytes = sum(map(len, lines)) + len(lines) + len(line)
            if len(lines) == MAX_BATCH_HITS or size_bytes > MAX_BATCH_BYTES:
                yield self._batch(hits, lines)
                hits, lines = [], []
            if not hits or hits[-1] is not hit:
                hits.append(hit)
            lines.append(line)
        if lines:
            yield self._batch(hits, lines)

    def _batch(self, hits: list[Hit], lines: list[bytes]) -> Request:
        url = f"{self.url}{self.option('batch_path')}"
        return Request("POST", url, hits, b"\n".join(lines), {"Content-Type": "text/plain"})

    def parameters_of(self, hit: Hit, *, now: datetime) -> list[dict[str, Any]]:
        """Return what is sent of a hit: of a transaction, one more for each of its items."""
        try:
            return [self._parameters_of(hit, now=now), *self._items_of(hit, now=now)]
        except InvalidParametersException as error:
            raise RefusedError(
                f"a hit of kind {hit.kind} lacks or has too much: {error}"
            ) from error

    def _parameters_of(self, hit: Hit, *, now: datetime) -> dict[str, Any]:
        own = _of_kind(hit)
        goods = {} if hit.kind == TRANSACTION else enhanced_parameters(hit)
        return {**self._common(hit, hit.kind, now, own), **goods, **self._custom(hit)}

    def _items_of(self, hit: Hit, *, now: datetime) -> list[dict[str, Any]]:
        if hit.kind != TRANSACTION:
            return []
        items = [_item(hit, item) for item in hit.values.get("items", [])]
        return [self._common(hit, HIT_TYPE_TRANSACTION_ITEM, now, item) for item in items]

    def _common(
        self, hit: Hit, hit_type: str, now: datetime, own: p.AbstractUrlGenerator | None
    ) -> dict[str, Any]:
        general = p.GeneralParameters(
            tracking_id=self.option("property"),
            data_source=self.option("data_source") or None,
            anonymize_ip=conf.get("anonymize_ip") or None,
            use_cache_buster=conf.get("send_method") == "GET",
        )
        delay = p.HitParameters.fitting(
            queue_time=max(0, round((now - hit.happened_at) / timedelta(milliseconds=1))) or None,
            non_interaction_hit=None if hit.is_interaction else True,
        )
        return p.hit_parameters(hit_type, general, delay, _session(hit), _page(hit), own)

    def _custom(self, hit: Hit) -> dict[str, Any]:
        found = {f"cd{n}": hit.properties.get(k) for k, n in self.option("dimensions").items()}
        cut = {k: DIMENSION.fit(plain.shown(v)) for k, v in found.items() if v is not None}
        numbers = {f"cm{n}": hit.properties.get(k) for k, n in self.option("metrics").items()}
        sound = {k: v for k, v in numbers.items() if METRIC.fit(v) is not None}
        return {**cut, **sound, **hit.parameters}

    def parse(self, response: Response) -> Iterator[Remark]:
        """Yield what the validation server says: *Validating Hits*, of the same guides."""
        if self.is_debug:
            yield from remarks_of(response.json())


def _of_kind(hit: Hit) -> p.AbstractUrlGenerator | None:
    """Return the parameters that only hits of its kind have."""
    values = {name: value for name, value in hit.values.items() if name != "items"}
    if hit.kind == SCREENVIEW:
        names = {f"app_{name}": name for name in ("name", "version", "installer_id")}
        app = {names.get(name, name): v for name, v in values.items() if name.startswith("app_")}
        return p.AppTrackingParameters.fitting(**app) if "name" in app else None
    if hit.kind == TRANSACTION:
        values["revenue"] = revenue_of(hit.values)
    generator = GENERATORS.get(hit.kind)
    if generator is None:
        return None
    known = generator.meta.parameters
    return generator.fitting(**{name: v for name, v in values.items() if name in known})


def _item(hit: Hit, item: Mapping[str, Any]) -> p.AbstractUrlGenerator:
    return p.EComItemParameters.fitting(
        transaction_id=hit.values["transaction_id"],
        name=item.get("name") or item.get("sku"),
        price=item.get("price"),
        quantity=item.get("quantity"),
        code=item.get("sku"),
        category=item.get("category"),
        currency_code=hit.values.get("currency_code"),
    )


def _session(hit: Hit) -> p.SessionParameters:
    found = {
        "client_id": hit.client_id,
        "user_id": hit.user_id,
        "ip_override": hit.address,
        "user_agent_override": hit.user_agent,
        "document_referrer": hit.referrer,
        "user_language": hit.language,
        "screen_resolution": hit.screen_resolution,
        "viewport_size": hit.viewport_size,
        "screen_colors": hit.screen_colors,
        **campaign_of(hit.location),
    }
    return p.SessionParameters.fitting(**{name: value or None for name, value in found.items()})


def _page(hit: Hit) -> p.PageViewParameters | None:
    found = {
        "location_url": hit.location or None,
        "title": hit.title or None,
        "screen_name": hit.values.get("screen_name"),
    }
    page = p.PageViewParameters.fitting(**found)
    return None if page.is_empty() and hit.kind != PAGEVIEW else page


def remarks_of(answer: Any) -> Iterator[Remark]:
    """Yield what the validation server of the old protocol says."""
    if not isinstance(answer, dict):
        return
    results = _dicts(answer.get("hitParsingResult"))
    for result in results:
        is_valid = result.get("valid") is True
        yield Remark(
            logging.DEBUG if is_valid else logging.WARNING,
            "a hit is valid" if is_valid else "a hit is not valid",
        )
    for message in [*_dicts(answer.get("parserMessage")), *_messages(results)]:
        yield Remark(
            LEVELS.get(str(message.get("messageType")), logging.WARNING),
            f"{message.get('description')} (message code {message.get('messageCode')},"
            f" parameter {message.get('parameter')})",
        )


def _messages(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for result in results for each in _dicts(result.get("parserMessage"))]


def _dicts(value: Any) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else []
    return [each for each in found[:MAX_BATCH_HITS] if isinstance(each, dict)]
