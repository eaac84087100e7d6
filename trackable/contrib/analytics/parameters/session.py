"""Who the visitor is, where he came from, and what he sees the site with."""

from __future__ import annotations

from trackable.contrib.analytics.parameters.base import UP
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Flag, Text


class SessionParameters(UrlGenerator):
    # User
    client_id = UP("cid", True)
    user_id = UP("uid")

    # Session
    session_control = UP("sc", type=Text(choices=("start", "end")))
    ip_override = UP("uip")
    user_agent_override = UP("ua")
    geographical_override = UP("geoid")

    # Traffic source
    document_referrer = UP("dr", type=Text(2048))
    campaign_name = UP("cn", type=Text(100))
    campaign_source = UP("cs", type=Text(100))
    campaign_medium = UP("cm", type=Text(50))
    campaign_keyword = UP("ck", type=Text(500))
    campaign_content = UP("cc", type=Text(500))
    campaign_id = UP("ci", type=Text(100))
    google_adwords_id = UP("gclid")
    google_display_ads_id = UP("dclid")

    # System
    screen_resolution = UP("sr", type=Text(20))
    viewport_size = UP("vp", type=Text(20))
    document_encoding = UP("de", type=Text(20))
    screen_colors = UP("sd", type=Text(20))
    user_language = UP("ul", type=Text(20))
    java_enabled = UP("je", type=Flag())
    flash_version = UP("fl", type=Text(20))

    # Content experiments
    experiment_id = UP("xid", type=Text(40))
    experiment_variant = UP("xvar")
