"""What each hit has: the protocol, the property, and how the hit came about."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from trackable.contrib.analytics.exceptions import InvalidParametersException
from trackable.contrib.analytics.parameters.base import UP, AbstractUrlGenerator
from trackable.contrib.analytics.parameters.constants import HIT_TYPES
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Flag, Whole


class GeneralParameters(UrlGenerator):
    protocol_version = UP("v", True)
    tracking_id = UP("tid", True)
    data_source = UP("ds")
    anonymize_ip = UP("aip", type=Flag())
    disable_ad_personalization = UP("npa", type=Flag())

    def __init__(
        self,
        params: Mapping[str, Any] | AbstractUrlGenerator | None = None,
        use_cache_buster: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(params, **kwargs)
        if self.protocol_version is None:
            self.protocol_version = 1
        self._use_cache_buster = use_cache_buster

    @property
    def use_cache_buster(self) -> bool:
        """Whether ``url`` adds a random number, which keeps a GET out of caches."""
        return self._use_cache_buster

    @use_cache_buster.setter
    def use_cache_buster(self, value: bool) -> None:
        self._use_cache_buster = value

    def url(self, hit_type: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the parameters of a hit of one of ``HIT_TYPES``."""
        if hit_type not in HIT_TYPES:
            raise InvalidParametersException("There is no type of hit {0!r}.", str(hit_type)[:80])
        buster = {"z": secrets.randbits(53)} if self._use_cache_buster else {}
        return {**super().url(), "t": hit_type, **buster}


class HitParameters(UrlGenerator):
    #: in milliseconds; after more than four hours a hit may not be processed
    queue_time = UP("qt", type=Whole(least=0))
    non_interaction_hit = UP("ni", type=Flag())
