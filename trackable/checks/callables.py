"""Checks of settings that name a function, or the origins of pages."""

from __future__ import annotations

import inspect
from typing import Any
from urllib.parse import urlsplit

from django.utils.module_loading import import_string


def takes(value: Any, number: int) -> bool:
    """Tell whether a value is the dotted path of a function that takes so many arguments.

    An ``async`` one does not do: what it returns is always true.
    """
    if not isinstance(value, str):
        return False
    try:
        function = import_string(value)
        inspect.signature(function).bind(*range(number))
    except (ImportError, TypeError, ValueError):
        return False
    return not inspect.iscoroutinefunction(function)


def are_origins(value: Any) -> bool:
    """Tell whether a value is a list of origins, such as ``"https://www.example.com"``."""
    return isinstance(value, list | tuple | set | frozenset) and all(map(_is_origin, value))


def _is_origin(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    written = f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
    return parts.scheme in ("http", "https") and bool(host) and value == written
