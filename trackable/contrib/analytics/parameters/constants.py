"""The words of the Measurement Protocol: types of hits, and what is done to products."""

from __future__ import annotations

from typing import Final

HIT_TYPE_PAGEVIEW: Final = "pageview"
HIT_TYPE_SCREENVIEW: Final = "screenview"
HIT_TYPE_EVENT: Final = "event"
HIT_TYPE_TRANSACTION: Final = "transaction"
HIT_TYPE_TRANSACTION_ITEM: Final = "item"
HIT_TYPE_SOCIAL: Final = "social"
HIT_TYPE_EXCEPTION: Final = "exception"
HIT_TYPE_TIMING: Final = "timing"

HIT_TYPES: Final = frozenset(
    {
        HIT_TYPE_PAGEVIEW,
        HIT_TYPE_SCREENVIEW,
        HIT_TYPE_EVENT,
        HIT_TYPE_TRANSACTION,
        HIT_TYPE_TRANSACTION_ITEM,
        HIT_TYPE_SOCIAL,
        HIT_TYPE_EXCEPTION,
        HIT_TYPE_TIMING,
    }
)

EECOM_ACTION_DETAIL: Final = "detail"
EECOM_ACTION_CLICK: Final = "click"
EECOM_ACTION_ADD: Final = "add"
EECOM_ACTION_REMOVE: Final = "remove"
EECOM_ACTION_CHECKOUT: Final = "checkout"
EECOM_ACTION_CHECKOUT_OPTION: Final = "checkout_option"
EECOM_ACTION_PURCHASE: Final = "purchase"
EECOM_ACTION_REFUND: Final = "refund"

PRODUCT_ACTIONS: Final = frozenset(
    {
        EECOM_ACTION_DETAIL,
        EECOM_ACTION_CLICK,
        EECOM_ACTION_ADD,
        EECOM_ACTION_REMOVE,
        EECOM_ACTION_CHECKOUT,
        EECOM_ACTION_CHECKOUT_OPTION,
        EECOM_ACTION_PURCHASE,
        EECOM_ACTION_REFUND,
    }
)
