"""Template tags: the script that tells what only a browser knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trackable.contrib.analytics import pings

if TYPE_CHECKING:
    from django.http import HttpRequest

register = template.Library()

SCRIPT: Final = "trackable_analytics/ping.js"


@register.simple_tag(takes_context=True)
def analytics_ping(context: template.Context, *, nonce: Any = None) -> SafeString:
    """Return the script that pings: ``{% analytics_ping %}``; nothing without a request.

    With a ``nonce``, or a ``csp_nonce`` in the context, it bears that.
    """
    request: HttpRequest | None = context.get("request")
    if request is None or not hasattr(request, "get_host"):
        return SafeString("")
    if nonce is None:
        nonce = context.get("csp_nonce")
    return format_html(
        '<script src="{}" data-url="{}" data-token="{}"{} defer></script>',
        static(SCRIPT),
        reverse("analytics:ping"),
        pings.token_of(request),
        "" if nonce is None else format_html(' nonce="{}"', nonce),
    )
