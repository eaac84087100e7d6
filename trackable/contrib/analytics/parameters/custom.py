"""Dimensions, metrics and groups of one's own: a subclass names them, by their numbers.

class Dimensions(CustomDimensionUrlGenerator):
    author = VP(1)
"""

from __future__ import annotations

from typing import Final

from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Number, Text

DIMENSION: Final = Text(150)
METRIC: Final = Number()


class CustomDimensionUrlGenerator(UrlGenerator):
    class Meta:
        abstract = True
        custom_prefix = "cd"
        custom_type = DIMENSION


class CustomMetricUrlGenerator(UrlGenerator):
    class Meta:
        abstract = True
        custom_prefix = "cm"
        custom_type = METRIC


class ContentGroupUrlGenerator(UrlGenerator):
    """A group of content, in a hierarchy written with slashes."""

    class Meta:
        abstract = True
        custom_prefix = "cg"
        custom_type = Text(100)
        max_index = 10
