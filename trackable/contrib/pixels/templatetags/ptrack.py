"""Template tags: images that call pixels, and images that count."""

from __future__ import annotations

from typing import Any

from django import template
from django.apps import apps
from django.utils.safestring import SafeString

from trackable.contrib.pixels import images, origins

register = template.Library()


@register.simple_tag(takes_context=True)
def ptrack(context: template.Context, /, *args: Any, **kwargs: Any) -> SafeString:
    """Return an image whose loading calls the pixels: ``{% ptrack 'arg' key='value' %}``."""
    return images.image_of(args, kwargs, request=origins.request_of(context))


# What is counted is the core's. Other pixels do without the core and its tables.
if apps.is_installed("trackable"):
    from trackable.contrib.pixels import counting

    register.simple_tag(counting.counting_pixel, takes_context=True, name="counting_pixel")
