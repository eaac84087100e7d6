"""Template tags: the script by which browsers count pages that come from a cache."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django import template
from django.apps import apps
from django.conf import settings
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trackable import notices
from trackable.exceptions import TrackableError

if TYPE_CHECKING:
    from django.db.models import Model

logger = logging.getLogger(__name__)

register = template.Library()

SCRIPT: Final = "trackable/collect.js"


class CannotCollect(TrackableError):  # noqa: N818
    """There is nowhere to count: include ``trackable.collect.urls`` in the URLconf."""


@register.simple_tag
def trackable_collect(
    obj: Model,
    field: str,
    *,
    data_cls: str | None = None,
    nonce: str | None = None,
) -> SafeString:
    """Return the script that counts the page: ``{% trackable_collect page "views" %}``.

    ``data_cls`` is the label of a data class. A mistake raises under ``DEBUG``, as in an emit; else
    it is logged, and the page has no script.
    """
    try:
        return _element(obj, field, data_cls, nonce)
    except Exception as error:
        if settings.DEBUG:
            raise
        cause = ascii(f"{type(error).__name__}: {error}"[:500])
        if notices.is_news(cause):
            logger.error("A page has no script to count it by. %s", cause)
        return SafeString("")


def _element(obj: Model, field: str, data_cls: str | None, nonce: str | None) -> SafeString:
    from trackable.collect import tokens

    chosen: Any = None if data_cls is None else apps.get_model(data_cls)
    return format_html(
        '<script src="{}" data-url="{}" data-token="{}"{} defer></script>',
        static(SCRIPT),
        _url(),
        tokens.token_of(obj, field, chosen),
        "" if nonce is None else format_html(' nonce="{}"', nonce),
    )


def _url() -> str:
    try:
        return reverse("trackable_collect:collect")
    except NoReverseMatch as error:
        raise CannotCollect(
            "A page cannot be counted by its browser: include trackable.collect.urls in the"
            " URLconf."
        ) from error
