"""Badges: a view that shows a count of an object as an image, for pages of any site."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotFound
from django.utils import timezone, translation
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.decorators import classonlymethod
from django.utils.http import quote_etag
from django.views.generic import View
from django.views.generic.detail import SingleObjectMixin

from trackable.caching import remembered
from trackable.charts.badges import badge, is_color
from trackable.charts.words import number_in_words
from trackable.exceptions import TrackableError
from trackable.reading.objects import total_of

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData

MAX_LABEL_LENGTH: Final = 64

#: An image loads nothing, runs nothing, and is shown on other sites.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


class BadBadge(TrackableError):  # noqa: N818
    """A badge cannot look or count like that: correct what the URLconf passes to ``as_view``."""


class TrackableBadge(SingleObjectMixin, View):  # type: ignore[type-arg]
    """Shows a total of an object: ``TrackableBadge.as_view(model=Page, field="views", ...)``.

    The object is looked up as by Django's ``DetailView``. The total is of the last ``days``, today
    among them, or with ``None`` of all time. It is made once in ``max_age_seconds``, and as long
    browsers and proxies may keep it. ``as_view`` raises ``BadBadge``.
    """

    http_method_names = ["get", "head", "options"]

    field = ""
    label = ""
    days: int | None = None
    data_cls: type[TrackableData] | str | None = None
    color = "#1f6f8b"
    label_color = "#4b545c"
    #: that of the number, whoever asks; by default ``LANGUAGE_CODE``
    language: str | None = None
    max_age_seconds = 60
    cache_alias = "default"

    @classonlymethod
    def as_view(cls, **initkwargs: Any) -> Any:  # noqa: N805
        view = super().as_view(**initkwargs)
        for complaint in cls(**initkwargs)._complaints():
            raise BadBadge(complaint)
        return view

    def _complaints(self) -> Iterator[str]:
        if not self.field or not isinstance(self.field, str):
            yield "A badge shows a counter: pass its name as field."
        label = str(self.label)
        if not label.isprintable() or not 0 < len(label.strip()) <= MAX_LABEL_LENGTH:
            yield f"{label!a:.80} is no label: pass 1 to {MAX_LABEL_LENGTH} printable characters."
        for color in (self.color, self.label_color):
            if not is_color(color):
                yield f"{color!a:.80} is no colour of a badge: write it as '#1f6f8b' or '#08c'."
        if not _is_positive(self.max_age_seconds):
            yield f"max_age_seconds is {self.max_age_seconds!a:.80}: pass a whole number from 1 on."
        if self.days is not None and not _is_positive(self.days):
            yield f"days is {self.days!a:.80}: pass a whole number from 1 on, or None."

    def has_permission(self, request: HttpRequest, obj: Model) -> bool:
        """Tell whether who asks may see the count of an object; if not, it is as if not there.

        Where it is overridden the object is loaded for each request, and only the browser that
        asked keeps the image. To hide objects from everybody, pass a ``queryset`` instead.
        """
        return True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer with the image, or that there is none."""
        if self._is_public or self._is_permitted(request):
            svg = remembered(
                self.cache_key(), self._draw, seconds=self.max_age_seconds, alias=self.cache_alias
            )
        else:
            svg = None
        if svg is None:
            return self._with_headers(HttpResponseNotFound(content_type="text/plain"))
        response = self._with_headers(HttpResponse(svg, content_type="image/svg+xml"))
        etag = quote_etag(_digest(svg))
        response["ETag"] = etag
        return get_conditional_response(request, etag=etag, response=response) or response

    def cache_key(self) -> str:
        """Return what an image is kept under: differs where the URL or the look does.

        Override it if the same URL shows different things, as on sites for several tenants.
        """
        match = self.request.resolver_match
        looked_up = sorted((name, str(value)) for name, value in self.kwargs.items())
        counted = (self.field, self.days, str(self.data_cls))
        look = (self.color, self.label_color, self._language)
        parts = (str(type(self)), match and match.route, looked_up, counted, look)
        return f"trackable.badge.{_digest(repr(parts))}"

    @property
    def _language(self) -> str:
        return self.language or settings.LANGUAGE_CODE

    @property
    def _is_public(self) -> bool:
        return type(self).has_permission is TrackableBadge.has_permission

    def _is_permitted(self, request: HttpRequest) -> bool:
        obj = self._find()
        return obj is not None and self.has_permission(request, obj)

    def _find(self) -> Model | None:
        if any("\0" in str(value) for value in self.kwargs.values()):
            return None  # no database stores such a value
        try:
            return self.get_object()  # type: ignore[no-any-return]
        except (Http404, DataError, OverflowError, ValidationError, ValueError):
            return None

    def _draw(self) -> str | None:
        obj = self._find()
        if obj is None:
            return None
        # whatever the visitor's own language and time zone are
        with timezone.override(None), translation.override(self._language):
            total = total_of(obj, self.field, days=self.days, data_cls=self.data_cls)
            label, value = str(self.label), number_in_words(total)
        return badge(label, value, color=self.color, label_color=self.label_color)

    def _with_headers(self, response: HttpResponse) -> HttpResponse:
        scope = "public" if self._is_public else "private"
        for name, value in HEADERS.items():
            response[name] = value
        response["Cache-Control"] = f"{scope}, max-age={self.max_age_seconds}"
        if not self._is_public:
            patch_vary_headers(response, ["Authorization", "Cookie"])
        return response


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
