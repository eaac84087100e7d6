"""Template tags: signed links that record who follows them, and images that record a loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import template
from django.utils.safestring import SafeString

from trackable.contrib.beacons import links

if TYPE_CHECKING:
    from django.http import HttpRequest

register = template.Library()


@register.simple_tag(takes_context=True)
def beacon_url(
    context: template.Context, target: Any = None, *, expire_after: Any = None, **options: Any
) -> str:
    """Return the address of a signed link: ``{% beacon_url article source=campaign %}``.

    The options are those of ``links.beacon_url``, with ``expire_after`` in seconds.
    """
    request = _request_of(context)
    return links.beacon_url(target, request=request, expire_after_seconds=expire_after, **options)


@register.simple_tag(takes_context=True)
def beacon_pixel(
    context: template.Context, target: Any = None, *, expire_after: Any = None, **options: Any
) -> SafeString:
    """Return an image whose loading is recorded: ``{% beacon_pixel source=newsletter %}``."""
    request = _request_of(context)
    return links.beacon_image(target, request=request, expire_after_seconds=expire_after, **options)


def _request_of(context: template.Context) -> HttpRequest | None:
    """Return the request; ``None`` in a mail, or if something else is called so there."""
    found = context.get("request")
    return found if hasattr(found, "build_absolute_uri") else None
