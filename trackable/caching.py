"""Caching: values that many ask for, made once in a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.core.cache import caches

T = TypeVar("T")

#: So long one who makes a value anew is waited for before another one tries.
MAKING_SECONDS: Final = 10


def remembered(key: str, make: Callable[[], T], *, seconds: int, alias: str = "default") -> T:
    """Return what ``make`` returned, in this or in another process, so many seconds ago at most.

    While one makes it anew, the others get the old one, so that many who come at once ask the
    database once. A value that nobody asks for goes after twice the time.
    """
    cache, now = caches[alias], time.time()
    known: Any = cache.get(key)
    if known is not None:
        value, fresh_until = known
        makes = now >= fresh_until and cache.add(
            f"{key}.making", True, min(MAKING_SECONDS, seconds)
        )
        if not makes:
            return value  # type: ignore[no-any-return]
    made = make()
    cache.set(key, (made, now + seconds), 2 * seconds)
    return made
