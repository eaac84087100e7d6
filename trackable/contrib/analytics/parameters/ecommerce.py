"""A purchase: one hit for the transaction, and one for each kind of goods in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from trackable.contrib.analytics.parameters.base import UP
from trackable.contrib.analytics.parameters.constants import (
    HIT_TYPE_TRANSACTION,
    HIT_TYPE_TRANSACTION_ITEM,
)
from trackable.contrib.analytics.parameters.generators import UrlGenerator
from trackable.contrib.analytics.parameters.types import Currency, Text, Whole

TRANSACTION: tuple[str, ...] = (HIT_TYPE_TRANSACTION,)
ITEM: tuple[str, ...] = (HIT_TYPE_TRANSACTION_ITEM,)


class AbstractEComUrlGenerator(UrlGenerator):
    transaction_id = UP("ti", True, Text(500))
    currency_code = UP("cu", type=Text(10))

    class Meta:
        abstract = True


class EComTransactionParameters(AbstractEComUrlGenerator):
    affiliation = UP("ta", type=Text(500), hit_types=TRANSACTION)
    #: with shipping and tax
    revenue = UP("tr", type=Currency(), hit_types=TRANSACTION)
    shipping = UP("ts", type=Currency(), hit_types=TRANSACTION)
    tax = UP("tt", type=Currency(), hit_types=TRANSACTION)


@dataclass
class EComItem:
    """A kind of goods in a transaction."""

    name: str
    price: Any = None
    quantity: int | None = None
    code: str | None = None
    category: str | None = None
    currency_code: str | None = None


class EComItemParameters(AbstractEComUrlGenerator):
    name = UP("in", True, Text(500), hit_types=ITEM)
    price = UP("ip", type=Currency(), hit_types=ITEM)
    quantity = UP("iq", type=Whole(least=0), hit_types=ITEM)
    code = UP("ic", type=Text(500), hit_types=ITEM)
    category = UP("iv", type=Text(500), hit_types=ITEM)

    @classmethod
    def from_item(
        cls, item: EComItem, transaction_id: str, transaction_currency: str | None = None
    ) -> Self:
        """Return the parameters of one of a transaction's items."""
        return cls(
            transaction_id=transaction_id,
            name=item.name,
            price=item.price,
            quantity=item.quantity,
            code=item.code,
            category=item.category,
            currency_code=item.currency_code or transaction_currency,
        )
