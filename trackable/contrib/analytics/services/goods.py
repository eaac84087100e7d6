"""Goods: what hits say of products, in the words of each service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trackable.contrib.analytics import parameters as p
from trackable.contrib.analytics.hits import Hit


def enhanced_parameters(hit: Hit) -> dict[str, Any]:
    """Return the parameters of enhanced e-commerce, which go with a hit of any type."""
    names = p.EnhancedEComGeneralParameters.meta.parameters
    values = {name: value for name, value in hit.values.items() if name in names}
    found = p.EnhancedEComGeneralParameters.fitting(**values).url()
    for number, item in enumerate(hit.values.get("items", []), start=1):
        found.update(p.EnhancedEComProductParameters.fitting(**item).url(number))
    return found


def revenue_of(values: Mapping[str, Any]) -> int | float:
    """Return what a transaction brought, with shipping and tax, as ``revenue`` says.

    Without one, it is added up of the items.
    """
    if (revenue := number(values.get("revenue"))) is not None:
        return revenue
    extras = sum(number(values.get(name)) or 0 for name in ("shipping", "tax"))
    return round(value_of_items(values) + extras, 6)


def value_of_goods(values: Mapping[str, Any]) -> int | float:
    """Return what the goods brought: the revenue without shipping and tax."""
    if number(values.get("revenue")) is None:
        return value_of_items(values)
    extras = sum(number(values.get(name)) or 0 for name in ("shipping", "tax"))
    return round(revenue_of(values) - extras, 6)


def value_of_items(values: Mapping[str, Any]) -> int | float:
    """Return the sum of prices times quantities."""
    return round(sum(_value_of(item) for item in values.get("items", [])), 6)


def _value_of(item: Mapping[str, Any]) -> int | float:
    quantity = number(item.get("quantity"))
    return (number(item.get("price")) or 0) * (1 if quantity is None else quantity)


def number(value: Any) -> int | float | None:
    """Return a number, ``None`` for what is none."""
    found = p.Number().fit(value)
    return found if isinstance(found, int | None) else float(found)
