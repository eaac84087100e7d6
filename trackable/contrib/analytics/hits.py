"""Hits: what is told to services, in words that are none of theirs.

A hit is made where something happens, by a developer, with what a visitor has sent in it. A mistake
of the former raises ``HitError`` here; what the latter sends never does, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Self

from trackable.contrib.analytics import plain
from trackable.contrib.analytics.exceptions import HitError

PAGEVIEW: Final = "pageview"
SCREENVIEW: Final = "screenview"
EVENT: Final = "event"
TRANSACTION: Final = "transaction"
SOCIAL: Final = "social"
EXCEPTION: Final = "exception"
TIMING: Final = "timing"

#: of a page's life, in milliseconds
TIMES: Final = frozenset(
    {
        "page_load_time",
        "dns_time",
        "page_download_time",
        "redirect_response_time",
        "tcp_connect_time",
        "server_response_time",
        "dom_interactive_time",
        "content_load_time",
    }
)
#: What has to do with goods may go with a hit of any kind; a transaction is always one.
COMMERCE: Final = frozenset(
    {
        "product_action",
        "product_action_list",
        "checkout_step",
        "checkout_step_option",
        "transaction_id",
        "affiliation",
        "revenue",
        "shipping",
        "tax",
        "currency_code",
        "coupon_code",
        "items",
    }
)
#: the names that one of a hit's ``items`` may have
ITEM: Final = frozenset(
    {
        "sku",
        "name",
        "brand",
        "category",
        "variant",
        "price",
        "quantity",
        "coupon_code",
        "position",
    }
)

#: kind -> the names of its values that must be there
REQUIRED: Final[dict[str, frozenset[str]]] = {
    PAGEVIEW: frozenset(),
    SCREENVIEW: frozenset({"screen_name"}),
    EVENT: frozenset({"category", "action"}),
    TRANSACTION: frozenset({"transaction_id"}),
    SOCIAL: frozenset({"network", "action", "target"}),
    EXCEPTION: frozenset(),
    TIMING: frozenset({"user_timing_category", "user_timing_variable", "user_timing_value"}),
}
#: kind -> the names of its values that may be there, beside those of commerce
OPTIONAL: Final[dict[str, frozenset[str]]] = {
    PAGEVIEW: frozenset(),
    SCREENVIEW: frozenset({"app_name", "app_id", "app_version", "app_installer_id"}),
    EVENT: frozenset({"label", "value"}),
    TRANSACTION: frozenset(),
    SOCIAL: frozenset(),
    EXCEPTION: frozenset({"description", "fatal"}),
    TIMING: frozenset({"user_timing_label"}) | TIMES,
}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One thing to be told to services.

    ``kind`` is one of ``REQUIRED``, which together with ``OPTIONAL`` and ``COMMERCE`` names what
    may be in ``values``. Texts are cut at ``plain.MAX_TEXT_LENGTH`` characters and made such that
    UTF-8 can hold them. Values that are ``None`` are left out.
    """

    kind: str
    #: who it was, as far as cookies tell: any text, best a random UUID
    client_id: str
    #: when it happened, aware
    happened_at: datetime = field(default_factory=_now)
    #: who it was, as far as the site knows, under a name that tells nobody else
    user_id: str = ""
    #: digits alone, for GA4: when the visit began, in seconds since 1970
    session_id: str = ""
    #: the whole URL of the page
    location: str = ""
    title: str = ""
    referrer: str = ""
    #: anonymised already, if it is to be
    address: str = ""
    user_agent: str = ""
    #: such as ``"en-gb"``
    language: str = ""
    #: such as ``"1920x1080"``
    screen_resolution: str = ""
    viewport_size: str = ""
    #: such as ``"24-bits"``
    screen_colors: str = ""
    #: False for what the visitor has not done himself
    is_interaction: bool = True
    #: what happened, by the names of its kind
    values: Mapping[str, Any] = field(default_factory=dict)
    #: anything else to tell about it, by names of one's own
    properties: Mapping[str, Any] = field(default_factory=dict)
    #: anything else to tell about the visitor
    user_properties: Mapping[str, Any] = field(default_factory=dict)
    #: parameters of the Measurement Protocol that go to its collectors as they are
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in REQUIRED:
            raise HitError(f"There is no kind {self.kind!r:.80}: take {', '.join(REQUIRED)}.")
        for each in fields(self):
            object.__setattr__(self, each.name, _cleaned(each.name, getattr(self, each.name)))
        self._check_values()

    def _check_values(self) -> None:
        required, named = REQUIRED[self.kind], set(self.values)
        if missing := sorted(required - named):
            raise HitError(f"A hit of kind {self.kind} needs {', '.join(missing)}.")
        if unknown := sorted(named - required - OPTIONAL[self.kind] - COMMERCE):
            raise HitError(f"A hit of kind {self.kind} has no {', '.join(unknown)!s:.200}.")
        items = self.values.get("items", [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise HitError("The items of a hit are a list of dictionaries.")
        if unknown := sorted({name for item in items for name in item} - ITEM):
            raise HitError(f"An item of a hit has no {', '.join(unknown)!s:.200}.")

    @cached_property
    def size_bytes(self) -> int:
        """About how much memory the hit takes."""
        return plain.size_bytes({each.name: getattr(self, each.name) for each in fields(self)})

    def as_dict(self) -> dict[str, Any]:
        """Return the hit as JSON can hold it."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **{name: value for name, value in found.items() if value not in ("", {})},
            "happened_at": self.happened_at.timestamp(),
        }

    @classmethod
    def of_dict(cls, found: Mapping[str, Any]) -> Self:
        """Return the hit that ``as_dict`` made this of. Raises ``HitError`` if it did not."""
        try:
            at = datetime.fromtimestamp(found["happened_at"], UTC)
            # what a later version has added means nothing to this one
            known = {each.name: found[each.name] for each in fields(cls) if each.name in found}
            return cls(**{**known, "happened_at": at})
        except (TypeError, KeyError, ValueError, OverflowError, OSError) as error:
            raise HitError(f"This is no hit: {error!a:.200}") from error


def _cleaned(name: str, value: Any) -> Any:
    if name == "happened_at":
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise HitError("The time of a hit is an aware datetime.")
        return value
    if name == "is_interaction":
        return bool(value)
    try:
        return plain.mapping(value) if name in _MAPPINGS else plain.text(value)
    except ValueError as error:
        raise HitError(f"{name} of a hit: {error}") from error


_MAPPINGS: Final = frozenset({"values", "properties", "user_properties", "parameters"})
