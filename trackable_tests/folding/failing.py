"""Calls that fail, or at which a process is stopped, on either side of what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trackable_tests.counting import Crash

BEFORE, AFTER = "before", "after"

#: what is stopped: an object, the name of its function, at which call, and on which side of it
Step = tuple[Any, str, int, str]


def name_of(step: Any) -> str | None:
    if not isinstance(step, tuple):
        return None
    owner, name, call, side = step
    return f"{side}-{owner.__name__.rpartition('.')[2]}.{name}-{call}"


def stop_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int, side: str) -> None:
    """Have one call of a function end in a crash, before or after it does its work."""
    real = getattr(owner, name)
    calls = iter(range(1, 1000))

    def act(*args: Any, **kwargs: Any) -> Any:
        is_the_one = next(calls) == call
        if is_the_one and side == BEFORE:
            raise Crash
        result = real(*args, **kwargs)
        if is_the_one:
            raise Crash
        return result

    monkeypatch.setattr(owner, name, act)


def raising(error: BaseException, action: Callable[..., Any], times: int = 1) -> Callable[..., Any]:
    """Do what ``action`` does, and then raise an error so many times."""
    left = [error] * times

    def act(*args: Any, **kwargs: Any) -> Any:
        result = action(*args, **kwargs)
        if left:
            raise left.pop()
        return result

    return act
