"""The app that a screen is of."""

from __future__ import annotations

from trackable.contrib.analytics.parameters.base import UP
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Text


class AppTrackingParameters(UrlGenerator):
    name = UP("an", True, Text(100))
    app_id = UP("aid", type=Text(150))
    version = UP("av", type=Text(100))
    installer_id = UP("aiid", type=Text(150))
