"""What a service is: something that makes requests of hits.

A service is made once, of its options, and asked from many threads. Subclasses write
``request_for``; one that takes several hits at once writes ``requests_of`` instead.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from trackable import notices
from trackable.contrib.analytics import conf, options, plain
from trackable.contrib.analytics.exceptions import RefusedError
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.options import Flaw, Option

logger = logging.getLogger(__name__)

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
TOO_MANY_REQUESTS: Final = 429
SERVICE_UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a service, and the hits it tells of. The URL and the body may hold secrets."""

    method: str
    url: str = field(repr=False)
    hits: Sequence[Hit] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def host(self) -> str:
        return options.host_of(self.url)


@dataclass(frozen=True, slots=True)
class Response:
    """What a service answered, with the beginning of the body; headers in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return what is in the body, ``None`` if that is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Remark:
    """What a service says of hits, to be logged: a level of ``logging``, and a text."""

    level: int
    text: str


class Service:
    """Makes requests of hits. What it cannot take raises ``RefusedError``, and nothing else."""

    #: by which the settings choose it
    name: ClassVar[str] = ""
    #: the options that the settings may have for it
    options: ClassVar[Mapping[str, Option]] = {}
    #: how many hits to take from the queue at once
    max_bulk: int = 1
    #: whether it can look at hits without counting them; what cannot, gets none with ``debug``
    has_debug: ClassVar[bool] = False
    #: what is older, the service would drop, or count on the wrong day
    max_age: ClassVar[timedelta | None] = None

    def __init__(self, given: Mapping[str, Any], *, alias: str = "") -> None:
        #: how the settings and the log call it
        self.alias = alias or self.name
        self.given = given
        self._values = options.values(self.options, given)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.alias}>"

    def option(self, key: str) -> Any:
        """Return the value in force of an option."""
        return self._values[key]

    @property
    def url(self) -> str:
        """Where the service is, without a slash at the end."""
        return str(self.option("url")).rstrip("/")

    @property
    def is_debug(self) -> bool:
        """Whether hits are only to be looked at, and not to be counted."""
        return bool(conf.get("debug"))

    # what subclasses write

    def request_for(self, hit: Hit, *, now: datetime) -> Request:
        """Return the request that tells of one hit. May raise ``RefusedError``."""
        raise NotImplementedError

    def requests_of(self, hits: Sequence[Hit], *, now: datetime) -> Iterator[Request]:
        """Yield the requests that tell of hits, which are not too old."""
        for hit in hits:
            if (request := self.taking(self.request_for, hit, now=now)) is not None:
                yield request

    def may_repeat(self, status: int) -> bool:
        """Tell whether a request that was answered so was not counted, and may be sent again.

        A 500 may come after the counting, and a 502 or 504 of a proxy that lost patience.
        """
        return status in (TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE)

    def parse(self, response: Response) -> Iterator[Remark]:
        """Yield what the service says of the hits, in an answer that is no refusal."""
        yield from ()

    def check(self) -> Iterator[Flaw]:
        """Find what is wrong with the options."""
        yield from options.flaws(self.options, self.given, where=f"The service {self.alias!r}")

    # what they use

    def requests_for(self, hits: Sequence[Hit], *, now: datetime | None = None) -> list[Request]:
        """Return the requests that tell of hits. What cannot be told is logged, once an hour."""
        if self.is_debug and not self.has_debug:
            self.tell("with 'debug' on, it gets no hits, as it would count them")
            return []
        now = now or datetime.now(UTC)
        fresh = [hit for hit in hits if self.is_fresh(hit, now=now)]
        return list(self.requests_of(fresh, now=now))

    def is_fresh(self, hit: Hit, *, now: datetime) -> bool:
        """Tell whether the service still counts the hit when it happened."""
        if self.max_age is not None and now - hit.happened_at > self.max_age:
            self.tell(f"hits older than {self.max_age} are not sent")
            return False
        return True

    def taking(self, make: Any, hit: Hit, **kwargs: Any) -> Any:
        """Return what is made of a hit, ``None`` if the service refuses it."""
        try:
            return make(hit, **kwargs)
        except RefusedError as error:
            self.tell(str(error))
            return None

    def tell(self, what: str) -> None:
        """Log what is left out or cut: once an hour, and nothing of the hit."""
        if notices.is_news(f"analytics {self.alias}: {what}"):
            logger.warning("The service %a does not get everything: %s.", self.alias, what)

    def get_or_post(
        self, path: str, parameters: Mapping[str, Any], *, hit: Hit, **headers: str
    ) -> Request:
        """Return a request with URL parameters, by the method that the settings say.

        What is too long for a GET is posted, if ``post_fallback`` allows that.
        """
        query = encoded(parameters)
        url = f"{self.url}{path}"
        as_get = f"{url}?{query}"
        if conf.get("send_method") == "GET":
            if len(as_get) <= conf.get("get_max_bytes"):
                return Request("GET", as_get, [hit], headers=_named(headers))
            if not conf.get("post_fallback"):
                raise RefusedError("a URL is too long for GET, and post_fallback is off")
        named = {"Content-Type": FORM, **_named(headers)}
        return Request("POST", url, [hit], query.encode(), named)

    def post_json(self, path: str, data: Any, *, hits: Sequence[Hit], **headers: str) -> Request:
        """Return a request with JSON in its body; ``user_agent="x"`` is a header."""
        named = {"Content-Type": JSON, **_named(headers)}
        return Request("POST", f"{self.url}{path}", hits, as_json(data), named)


def encoded(parameters: Mapping[str, Any]) -> str:
    """Return URL parameters, quoted; blanks as ``%20``."""
    texts = {name: plain.shown(value) for name, value in parameters.items()}
    return urlencode(texts, quote_via=quote, safe="", errors="replace")


def as_json(data: Any) -> bytes:
    """Return JSON in its shortest form."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): plain.header(value) for name, value in headers.items()}
