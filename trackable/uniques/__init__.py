"""Distinct counts: how many different visitors, exact while they are few, then estimated."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trackable.uniques.estimates import Estimate
    from trackable.uniques.fields import UniqueCount
    from trackable.uniques.pseudonyms import visitor_key

__all__ = ["Estimate", "UniqueCount", "visitor_key"]

_MODULES = {"Estimate": "estimates", "UniqueCount": "fields", "visitor_key": "pseudonyms"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
