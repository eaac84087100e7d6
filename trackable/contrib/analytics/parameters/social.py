"""What a visitor did with a page in a social network."""

from __future__ import annotations

from trackable.contrib.analytics.parameters.base import UP
from trackable.contrib.analytics.parameters.constants import HIT_TYPE_SOCIAL
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Text

ONLY: tuple[str, ...] = (HIT_TYPE_SOCIAL,)


class SocialInteractionParameters(UrlGenerator):
    network = UP("sn", True, Text(50), hit_types=ONLY)
    action = UP("sa", True, Text(50), hit_types=ONLY)
    target = UP("st", True, Text(2048), hit_types=ONLY)
