"""How long something took, in milliseconds."""

from __future__ import annotations

from trackable.contrib.analytics.parameters.base import UP
from trackable.contrib.analytics.parameters.constants import HIT_TYPE_TIMING
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Text, Whole

ONLY: tuple[str, ...] = (HIT_TYPE_TIMING,)
MILLISECONDS: Whole = Whole(least=0)


class TimingParameters(UrlGenerator):
    user_timing_category = UP("utc", True, Text(150), hit_types=ONLY)
    user_timing_variable = UP("utv", True, Text(500), hit_types=ONLY)
    user_timing_value = UP("utt", True, MILLISECONDS, hit_types=ONLY)
    user_timing_label = UP("utl", type=Text(500), hit_types=ONLY)
    page_load_time = UP("plt", type=MILLISECONDS, hit_types=ONLY)
    dns_time = UP("dns", type=MILLISECONDS, hit_types=ONLY)
    page_download_time = UP("pdt", type=MILLISECONDS, hit_types=ONLY)
    redirect_response_time = UP("rrt", type=MILLISECONDS, hit_types=ONLY)
    tcp_connect_time = UP("tcp", type=MILLISECONDS, hit_types=ONLY)
    server_response_time = UP("srt", type=MILLISECONDS, hit_types=ONLY)
    dom_interactive_time = UP("dit", type=MILLISECONDS, hit_types=ONLY)
    content_load_time = UP("clt", type=MILLISECONDS, hit_types=ONLY)
