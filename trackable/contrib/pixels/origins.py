"""Origins: under which scheme and host the images are, for mails as for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import DisallowedHost, ObjectDoesNotExist

from trackable.contrib.pixels import conf

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.template import Context


def request_of(context: Context) -> HttpRequest | None:
    """Return a template's request; ``None`` in a mail, or if something else is called so there."""
    found: Any = context.get("request")
    return found if hasattr(found, "get_host") else None


def origin_for(request: HttpRequest | None) -> str:
    """Return what comes before the path of an image: ``""`` if nothing is known.

    That is ``PTRACK_APP_URL``, else the request's host, else that of the current ``Site``.
    """
    url = conf.get("APP_URL")
    if url:
        return str(url).rstrip("/")
    if request is not None:
        try:
            return f"{request.scheme}://{request.get_host()}"
        except DisallowedHost:
            return ""
        except KeyError:
            pass  # made by hand, with no server that it came to
    return _of_site()


def has_site() -> bool:
    """Tell whether there is a current ``Site`` where there is no request."""
    return apps.is_installed("django.contrib.sites") and bool(getattr(settings, "SITE_ID", None))


def _of_site() -> str:
    if not has_site():
        return ""
    from django.contrib.sites.models import Site

    try:
        return f"https://{Site.objects.get_current().domain}"
    except ObjectDoesNotExist:
        return ""
