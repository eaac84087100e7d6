"""What went wrong."""

from __future__ import annotations

from trackable.contrib.analytics.parameters.base import UP
from trackable.contrib.analytics.parameters.constants import HIT_TYPE_EXCEPTION
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Flag, Text

ONLY: tuple[str, ...] = (HIT_TYPE_EXCEPTION,)


class ExceptionParameters(UrlGenerator):
    description = UP("exd", type=Text(150), hit_types=ONLY)
    fatal = UP("exf", type=Flag(), hit_types=ONLY)
