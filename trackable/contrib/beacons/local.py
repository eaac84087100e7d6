"""Local answers: a target on this same site is shown at once, without a second request.

The request is given the path that it would have come back with. Whatever would make a
difference to coming back leads to a redirect: see ``IGNORE_LOCAL_REDIRECTS`` in the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, unquote

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.core.exceptions import DisallowedHost
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils.translation import get_language, get_language_from_path

from trackable.contrib.beacons import conf, middleware, redirects

#: set on views that record beacons, and so on what wraps them: one beacon leads to no other
MARK: Final = "records_beacons"
#: set on a request that was given another path: a view that calls ``trigger`` may be there
MOVED: Final = "was_moved_by_beacon"
#: The page is shown under an address that says who its visitor is: links from it shall not tell.
#: Where the site has a policy of its own, that is in force here too.
REFERRER_POLICY: Final = "strict-origin-when-cross-origin"


@dataclass(frozen=True, slots=True)
class Place:
    """Where on this site a target is, as a request would have it."""

    path: str
    path_info: str
    query: str
    match: ResolverMatch


def answer(request: HttpRequest, url: str) -> HttpResponse | None:
    """Return what the view of a target's address answers; ``None`` where a redirect is needed.

    Raises what that view raises, and then what it has written is undone, where a request of its
    own would undo it. The request is the target's from then on.
    """
    if not conf.get("IGNORE_LOCAL_REDIRECTS") or middleware.guards():
        return None
    place = None if hasattr(request, MOVED) else _place_of(request, url)
    if place is None:
        return None
    _move(request, place)
    view = _in_transactions(place.match.func)
    response = view(request, *place.match.args, **place.match.kwargs)
    # The view's own cache stores a page once it is rendered: without these headers.
    if not getattr(response, "is_rendered", True):
        response.add_post_render_callback(_keep_to_itself)  # type: ignore[attr-defined]
        return response
    return _keep_to_itself(response)


def _in_transactions(view: Any) -> Callable[..., HttpResponse]:
    """Return the view as Django would call it: one that fails undoes its own work, and no more.

    The request's own transaction is no substitute: it has the beacon in it, it is committed
    where a 404 is answered, and the view that called ``trigger`` may have none.
    """
    if iscoroutinefunction(view):
        return async_to_sync(view)
    spared = _non_atomic(view)
    for alias in _atomic_aliases():
        if alias not in spared:
            view = transaction.atomic(using=alias)(view)
    called: Callable[..., HttpResponse] = view
    return called


def _keep_to_itself(response: HttpResponse) -> HttpResponse:
    if not middleware.sets_referrer_policy():
        response.headers.setdefault("Referrer-Policy", REFERRER_POLICY)
    return redirects.uncached(response)


def _move(request: HttpRequest, place: Place) -> None:
    request.path, request.path_info = place.path, place.path_info
    request.META["PATH_INFO"], request.META["QUERY_STRING"] = place.path_info, place.query
    request.GET = QueryDict(place.query, encoding=request.encoding)
    request.resolver_match = place.match
    setattr(request, MOVED, True)


def _place_of(request: HttpRequest, url: str) -> Place | None:
    parts = redirects.split(url)
    if parts is None or "#" in url or not _is_here(request, parts):
        return None
    path = _decoded(parts.path or "/")
    prefix = request.META.get("SCRIPT_NAME", "").rstrip("/") + "/"
    if path is None or not path.startswith(prefix):
        return None
    path_info = "/" + path.removeprefix(prefix)
    match = _match_of(request, path_info)
    return None if match is None else Place(path, path_info, parts.query, match)


def _is_here(request: HttpRequest, parts: SplitResult) -> bool:
    if not parts.netloc:
        return True
    try:
        return (parts.scheme, parts.netloc) == (request.scheme, request.get_host())
    except DisallowedHost:
        return False


def _decoded(path: str) -> str | None:
    """Return a path as a server decodes it, unless a browser would ask for another one."""
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return None
    return None if {".", ".."} & {*decoded.split("/")} else decoded


def _match_of(request: HttpRequest, path_info: str) -> ResolverMatch | None:
    urlconf = getattr(request, "urlconf", None)
    if _language_of(path_info, urlconf) not in (None, get_language()):
        return None
    try:
        match = resolve(path_info, urlconf)
    except Resolver404:
        return None
    is_elsewhere = getattr(match.func, MARK, False) or _wants_no_transaction(match.func)
    return None if is_elsewhere else match


def _language_of(path_info: str, urlconf: Any) -> str | None:
    """Return the language that ``LocaleMiddleware`` takes from a path; ``None`` for none."""
    is_used, is_default_prefixed = is_language_prefix_patterns_used(
        urlconf or settings.ROOT_URLCONF
    )
    if not is_used:
        return None
    default = None if is_default_prefixed else settings.LANGUAGE_CODE
    return get_language_from_path(path_info) or default


def _wants_no_transaction(view: Any) -> bool:
    """Tell whether requests are in a transaction, and the view is async or is to be in none."""
    atomic = _atomic_aliases()
    return bool(atomic) if iscoroutinefunction(view) else not atomic.isdisjoint(_non_atomic(view))


def _atomic_aliases() -> set[str]:
    databases = connections.settings.items()
    return {alias for alias, database in databases if database["ATOMIC_REQUESTS"]}


def _non_atomic(view: Any) -> set[str]:
    """Return the databases that ``transaction.non_atomic_requests`` has marked a view with."""
    marked: set[str] = getattr(view, "_non_atomic_requests", set())
    return marked
