"""Enhanced e-commerce: products, lists they are shown in, and promotions.

They go with a hit of any type, usually a page view or an event.
"""

from __future__ import annotations

from trackable.contrib.analytics.parameters.base import UP
from trackable.contrib.analytics.parameters.constants import PRODUCT_ACTIONS
from trackable.contrib.analytics.parameters.custom import DIMENSION, METRIC
from trackable.contrib.analytics.parameters.generators import (
    EnumeratedUrlGenerator,
    PrefixUrlGenerator,
    UrlGenerator,
)
from trackable.contrib.analytics.parameters.types import Currency, Text, Whole


class EnhancedEComProductParameters(EnumeratedUrlGenerator):
    sku = UP("id", type=Text(500))
    name = UP("nm", type=Text(500))
    brand = UP("br", type=Text(500))
    category = UP("ca", type=Text(500))
    variant = UP("va", type=Text(500))
    price = UP("pr", type=Currency())
    quantity = UP("qt", type=Whole())
    coupon_code = UP("cc", type=Text(500))
    position = UP("ps", type=Whole(least=0))

    class Meta:
        item_prefix = "pr"


class EnhancedEComCustomDimensionProductParameters(EnumeratedUrlGenerator):
    class Meta:
        abstract = True
        item_prefix = "pr"
        custom_prefix = "cd"
        custom_type = DIMENSION


class EnhancedEComCustomMetricProductParameters(EnumeratedUrlGenerator):
    class Meta:
        abstract = True
        item_prefix = "pr"
        custom_prefix = "cm"
        custom_type = METRIC


class EnhancedEComGeneralParameters(UrlGenerator):
    product_action = UP("pa", type=Text(choices=PRODUCT_ACTIONS))
    transaction_id = UP("ti", type=Text(500))
    affiliation = UP("ta", type=Text(500))
    revenue = UP("tr", type=Currency())
    tax = UP("tt", type=Currency())
    shipping = UP("ts", type=Currency())
    coupon_code = UP("tcc")
    product_action_list = UP("pal")
    checkout_step = UP("cos", type=Whole(least=0))
    checkout_step_option = UP("col")
    promotion_action = UP("promoa", type=Text(choices=("click", "view")))
    currency_code = UP("cu", type=Text(10))


class EnhancedEComPIListParameters(PrefixUrlGenerator):
    """A list of products that was shown; a subclass has its number in ``Meta.index_prefix``."""

    name = UP("nm")

    class Meta:
        abstract = True
        preset_prefix = "il"


class EnhancedEComPIProductParameters(EnumeratedUrlGenerator):
    """A product in such a list."""

    sku = UP("id")
    name = UP("nm")
    brand = UP("br")
    category = UP("ca")
    variant = UP("va")
    position = UP("ps", type=Whole(least=0))
    price = UP("pr", type=Currency())

    class Meta:
        abstract = True
        preset_prefix = "il"
        item_prefix = "pi"


class EnhancedEComPICustomDimensionProductParameters(EnumeratedUrlGenerator):
    class Meta:
        abstract = True
        preset_prefix = "il"
        item_prefix = "pi"
        custom_prefix = "cd"
        custom_type = DIMENSION


class EnhancedEComPICustomMetricProductParameters(EnumeratedUrlGenerator):
    class Meta:
        abstract = True
        preset_prefix = "il"
        item_prefix = "pi"
        custom_prefix = "cm"
        custom_type = METRIC


class EnhancedEComPromotionParameters(PrefixUrlGenerator):
    """A promotion; a subclass has its number in ``Meta.index_prefix``."""

    promo_id = UP("id")
    name = UP("nm")
    creative = UP("cr")
    position = UP("ps")

    class Meta:
        abstract = True
        preset_prefix = "promo"
