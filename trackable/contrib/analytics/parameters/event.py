"""What a visitor did."""

from __future__ import annotations

from typing import Any

from trackable.contrib.analytics.parameters.base import UP
from trackable.contrib.analytics.parameters.constants import HIT_TYPE_EVENT
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Text, Whole

ONLY: tuple[str, ...] = (HIT_TYPE_EVENT,)


class EventParameters(UrlGenerator):
    category = UP("ec", True, Text(150), hit_types=ONLY)
    action = UP("ea", True, Text(500), hit_types=ONLY)
    label = UP("el", type=Text(500), hit_types=ONLY)
    value = UP("ev", type=Whole(least=0), hit_types=ONLY)

    def __init__(
        self, category: Any = None, action: Any = None, label: Any = None, value: Any = None
    ) -> None:
        params, texts = (None, category) if isinstance(category, str | int) else (category, None)
        super().__init__(params, category=texts, action=action, label=label, value=value)
