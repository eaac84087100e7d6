"""Three ways to name parameters: as they are, with a prefix, and numbered."""

from __future__ import annotations

from typing import Any

from trackable.contrib.analytics.exceptions import InvalidParametersException
from trackable.contrib.analytics.parameters.base import AbstractUrlGenerator, _check_index


class UrlGenerator(AbstractUrlGenerator):
    """Parameters under their own names: ``ec``, ``cd1``."""

    class Meta:
        abstract = True

    def url(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self._components()


class PrefixUrlGenerator(AbstractUrlGenerator):
    """Parameters of one of several lists, whose number the class has: ``il1nm``."""

    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("preset_prefix", "index_prefix"):
            if not getattr(self.meta, name):
                raise InvalidParametersException("{0} lacks Meta.{1}.", type(self).__name__, name)
        _check_index(int(self.meta.index_prefix), self.meta)

    def url(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self._components(f"{self.meta.preset_prefix}{self.meta.index_prefix}")


class EnumeratedUrlGenerator(AbstractUrlGenerator):
    """Parameters of one of several items, numbered when they are sent: ``pr1id``, ``il1pi2nm``."""

    class Meta:
        abstract = True

    def url(self, index: int, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the parameters of the item with this number, from 1."""
        _check_index(index, self.meta)
        meta = self.meta
        return self._components(f"{meta.preset_prefix}{meta.index_prefix}{meta.item_prefix}{index}")
