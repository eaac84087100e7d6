"""Middleware: which of it may refuse a visitor before a view is called, or says of referrers."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware
from django.utils.module_loading import import_string

HOOK: Final = "process_view"
#: hooks of Django's that refuse nobody a GET, or have had their say about this very request
HARMLESS: Final = frozenset(
    {
        "django.contrib.admindocs.middleware.XViewMiddleware.process_view",
        "django.middleware.csrf.CsrfViewMiddleware.process_view",
    }
)


def guards() -> tuple[str, ...]:
    """Return the middleware in force, by its dotted paths, that would not see another view."""
    return _guards_among(tuple(settings.MIDDLEWARE))


def sets_referrer_policy() -> bool:
    """Tell whether Django's middleware gives answers a policy, unless they have another one."""
    return bool(settings.SECURE_REFERRER_POLICY) and _is_secured(tuple(settings.MIDDLEWARE))


@lru_cache(maxsize=16)
def _is_secured(paths: tuple[str, ...]) -> bool:
    found = map(import_string, paths)
    return any(isinstance(each, type) and issubclass(each, SecurityMiddleware) for each in found)


@lru_cache(maxsize=16)
def _guards_among(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path for path in paths if _is_guard(import_string(path)))


def _is_guard(factory: Any) -> bool:
    middleware = factory if isinstance(factory, type) else _made_by(factory)
    hook = getattr(middleware, HOOK, None)
    return hook is not None and _name_of(hook) not in HARMLESS


def _name_of(hook: Any) -> str:
    return f"{getattr(hook, '__module__', None)}.{getattr(hook, '__qualname__', None)}"


def _made_by(factory: Callable[[Any], Any]) -> Any:
    """Return what a function makes, as Django asks it to; what makes nothing may be anything."""
    try:
        return factory(_answer_nothing)
    except MiddlewareNotUsed:
        return None
    except Exception:  # it wants more than this, such as an event loop
        return _Unknown


class _Unknown:
    def process_view(self) -> None: ...


def _answer_nothing(_: HttpRequest) -> HttpResponse:
    return HttpResponse()
