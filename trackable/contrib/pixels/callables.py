"""Callables: which of them would do nothing when they are called as plain ones are."""

from __future__ import annotations

import inspect
from typing import Any

from asgiref.sync import AsyncToSync


def flaw_of(holder: Any, name: str) -> str | None:
    """Return in words why a call of an attribute would run nothing, ``None`` if it would.

    Looks at what decorators have wrapped, as most pass on what a call of that makes; but not
    into ``async_to_sync``, which runs it.
    """
    held = inspect.getattr_static(holder, name, None)
    if not isinstance(held, AsyncToSync):
        held = inspect.unwrap(getattr(holder, name, None), stop=_is_run)  # type: ignore[arg-type]
    if not callable(held):
        return f"cannot be called: it is of type {type(held).__name__}"
    if inspect.iscoroutinefunction(held) or inspect.isasyncgenfunction(held):
        return "is async, and would not be awaited"
    if inspect.isgeneratorfunction(held):
        return "is a generator, and nobody would ask it for values"
    return None


def takes(function: Any, /, *args: Any, **kwargs: Any) -> bool:
    """Tell whether a callable takes such arguments; one that does not say what it takes may."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _is_run(function: Any) -> bool:
    return isinstance(function, AsyncToSync)
