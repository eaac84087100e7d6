"""The URL parameters of the Measurement Protocol (the one before GA4's), with types and lengths.

Their names and attributes are those of server-side-tracking. Types, lengths and the types of hits
that they go with are those of Google's *Measurement Protocol Parameter Reference*:
https://developers.google.com/analytics/devguides/collection/protocol/v1/parameters
"""

from __future__ import annotations

from trackable.contrib.analytics.exceptions import InvalidParametersException
from trackable.contrib.analytics.parameters.app import AppTrackingParameters
from trackable.contrib.analytics.parameters.base import (
    UP,
    VP,
    AbstractUrlGenerator,
    UrlParameter,
    VariableParameter,
)
from trackable.contrib.analytics.parameters.combining import hit_parameters, merged
from trackable.contrib.analytics.parameters.custom import (
    ContentGroupUrlGenerator,
    CustomDimensionUrlGenerator,
    CustomMetricUrlGenerator,
)
from trackable.contrib.analytics.parameters.ecommerce import (
    AbstractEComUrlGenerator,
    EComItem,
    EComItemParameters,
    EComTransactionParameters,
)
from trackable.contrib.analytics.parameters.enhanced import (
    EnhancedEComCustomDimensionProductParameters,
    EnhancedEComCustomMetricProductParameters,
    EnhancedEComGeneralParameters,
    EnhancedEComPICustomDimensionProductParameters,
    EnhancedEComPICustomMetricProductParameters,
    EnhancedEComPIListParameters,
    EnhancedEComPIProductParameters,
    EnhancedEComProductParameters,
    EnhancedEComPromotionParameters,
)
from trackable.contrib.analytics.parameters.event import EventParameters
from trackable.contrib.analytics.parameters.exception import ExceptionParameters
from trackable.contrib.analytics.parameters.general import GeneralParameters, HitParameters
from trackable.contrib.analytics.parameters.generators import (
    EnumeratedUrlGenerator,
    PrefixUrlGenerator,
    UrlGenerator,
)
from trackable.contrib.analytics.parameters.page import PageViewParameters
from trackable.contrib.analytics.parameters.session import SessionParameters
from trackable.contrib.analytics.parameters.social import SocialInteractionParameters
from trackable.contrib.analytics.parameters.timing import TimingParameters
from trackable.contrib.analytics.parameters.types import (
    Currency,
    Flag,
    Number,
    Text,
    Type,
    Whole,
)

__all__ = [
    # to make parameters of
    "UP",
    "VP",
    "UrlParameter",
    "VariableParameter",
    "AbstractUrlGenerator",
    "UrlGenerator",
    "PrefixUrlGenerator",
    "EnumeratedUrlGenerator",
    "Type",
    "Text",
    "Flag",
    "Whole",
    "Number",
    "Currency",
    "hit_parameters",
    "merged",
    "InvalidParametersException",
    # each hit
    "GeneralParameters",
    "HitParameters",
    "SessionParameters",
    "PageViewParameters",
    "AppTrackingParameters",
    # kinds of hits
    "EventParameters",
    "EComItem",
    "EComItemParameters",
    "EComTransactionParameters",
    "AbstractEComUrlGenerator",
    "SocialInteractionParameters",
    "TimingParameters",
    "ExceptionParameters",
    # enhanced e-commerce
    "EnhancedEComCustomDimensionProductParameters",
    "EnhancedEComCustomMetricProductParameters",
    "EnhancedEComGeneralParameters",
    "EnhancedEComPICustomDimensionProductParameters",
    "EnhancedEComPICustomMetricProductParameters",
    "EnhancedEComPIListParameters",
    "EnhancedEComPIProductParameters",
    "EnhancedEComProductParameters",
    "EnhancedEComPromotionParameters",
    # one's own
    "ContentGroupUrlGenerator",
    "CustomDimensionUrlGenerator",
    "CustomMetricUrlGenerator",
]
