"""What was looked at: a page, or a screen of an app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trackable.contrib.analytics.exceptions import InvalidParametersException
from trackable.contrib.analytics.parameters.base import UP, AbstractUrlGenerator
from trackable.contrib.analytics.parameters.constants import HIT_TYPE_SCREENVIEW
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Text


class PageViewParameters(UrlGenerator):
    """Needs ``location_url``, or ``host_name`` and ``path``, or ``screen_name``."""

    location_url = UP("dl", type=Text(2048))
    host_name = UP("dh", type=Text(100))
    path = UP("dp", type=Text(2048))
    title = UP("dt", type=Text(1500))
    screen_name = UP("cd", type=Text(2048), hit_types=(HIT_TYPE_SCREENVIEW,))
    link_id = UP("linkid")

    def __init__(
        self,
        params: Mapping[str, Any] | AbstractUrlGenerator | None = None,
        location_url: str | None = None,
        host_name: str | None = None,
        path: str | None = None,
        title: str | None = None,
        **kwargs: Any,
    ) -> None:
        page = {"location_url": location_url, "host_name": host_name, "path": path, "title": title}
        super().__init__(params, **page, **kwargs)

    def validate(self) -> None:
        super().validate()
        if not (self.location_url or self.screen_name or (self.host_name and self.path)):
            raise InvalidParametersException(
                "Either 'location_url' must be specified, or both 'host_name' and 'path'."
            )
