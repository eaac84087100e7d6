"""One hit's parameters, of several generators, which must all go with its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trackable.contrib.analytics.exceptions import InvalidParametersException
from trackable.contrib.analytics.parameters.base import AbstractUrlGenerator
from trackable.contrib.analytics.parameters.general import GeneralParameters


def hit_parameters(
    hit_type: str, general: GeneralParameters, *others: AbstractUrlGenerator | None
) -> dict[str, Any]:
    """Return the parameters of a hit of this type, the random number last.

    Raises ``InvalidParametersException`` for a parameter that hits of this type do not have.
    """
    url = general.url(hit_type)
    buster = {"z": url.pop("z")} if "z" in url else {}
    for each in others:
        if each is not None:
            check_hit_type(hit_type, each)
            url.update(each.url())
    return {**url, **buster}


def check_hit_type(hit_type: str, generator: AbstractUrlGenerator) -> None:
    """Raise ``InvalidParametersException`` if a parameter that is set goes with other hits."""
    for name in generator._params:
        types = generator.meta.parameters[name].hit_types
        if types and hit_type not in types:
            raise InvalidParametersException(
                "{0} goes with hits of type {1}, not {2}.", name, ", ".join(types), hit_type
            )


def merged(parameters: Mapping[str, Any] | tuple[AbstractUrlGenerator, ...]) -> dict[str, Any]:
    """Return what goes into a hit's ``parameters``, of a mapping or of generators."""
    if isinstance(parameters, Mapping):
        return dict(parameters)
    return {name: value for each in parameters for name, value in each.url().items()}
