"""Views: they record a beacon, and send the visitor on to its target or answer with a pixel."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.apps import apps
from django.contrib.auth.decorators import login_not_required
from django.core.handlers.exception import response_for_exception
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from trackable.contrib.beacons import emitting, links, local, redirects
from trackable.contrib.beacons.finding import Objects, find
from trackable.contrib.beacons.naming import Name
from trackable.gif import pixel_response

logger = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., HttpResponse])


def _never_cached(view: View) -> View:
    """Decorate a view of beacons so that no cache keeps its answers, a 404 no more than others.

    Where a view of the project's calls it, a 404 is raised, for that view to handle.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        called = request.resolver_match and request.resolver_match.func
        try:
            response = view(request, *args, **kwargs)
        except Http404 as error:
            if not hasattr(called, local.MARK):
                raise
            response = response_for_exception(request, error)
        return redirects.uncached(response) if response.status_code >= 400 else response

    setattr(answer, local.MARK, True)
    return cast("View", answer)


@_never_cached
@require_safe
def trigger(
    request: HttpRequest,
    target_type: Objects | None,
    target_id: Any,
    source_type: Objects | None = None,
    source_id: Any = None,
    entity_type: type[Model] | None = None,
    entity_id: Any = None,
    ignore_errors: bool = False,
    pixel: bool = False,
) -> HttpResponse:
    """Record a beacon, then redirect to the target, or with ``pixel`` answer with an image.

    The target is the object of ``target_type``, a model, manager or queryset, with this id: 404
    if there is none, or if it has no address. With ``pixel`` it may be absent. The source is
    found in the same way: 404 if it is named and absent, and also if the beacon cannot be
    recorded, unless ``ignore_errors``. The entity is one of the model ``entity_type``: the one
    with this id, or a new one. A HEAD is answered, and not recorded.
    """
    target = find(target_type, target_id)
    url = "" if pixel else _url_of(target)
    source = find(source_type, source_id)
    is_source_named = source_type is not None and source_id is not None
    if is_source_named and source is None and not ignore_errors:
        raise Http404("There is no such source.")
    if request.method == "GET":
        is_recorded = emitting.record(
            request, target=target, source=source, entity_type=entity_type, entity_id=entity_id
        )
        if not is_recorded and not ignore_errors:
            raise Http404("The beacon could not be recorded.")
    if pixel:
        return pixel_response()
    return local.answer(request, url) or redirects.redirect(url)


@login_not_required  # whoever was sent it may follow it; the target guards itself
@_never_cached
@require_safe
def link(request: HttpRequest, signed: str) -> HttpResponse:
    """Do what a signed link says, as ``trigger`` does it: 404 if it is not this site's."""
    said = links.read(signed)
    if said is None:
        logger.debug("A link was refused: altered, of another site, or expired.")
        raise Http404("There is no such link.")
    target, source, entity = (_arguments(name) for name in (said.target, said.source, said.entity))
    if not said.ignore_errors and (_is_gone(said.source, source) or _is_gone(said.entity, entity)):
        raise Http404("There is no such model any more.")
    return trigger(
        request, *target, *source, *entity, ignore_errors=said.ignore_errors, pixel=said.pixel
    )


def _url_of(target: Model | None) -> str:
    if target is None:
        raise Http404("There is no such target.")
    return redirects.url_of(target)


def _arguments(name: Name | None) -> tuple[type[Model] | None, Any]:
    """Return the model and the key of a name; of a model that has gone, nothing is known."""
    if name is None:
        return None, None
    try:
        return apps.get_model(name[0]), (name[1] if len(name) > 1 else None)
    except (LookupError, ValueError):
        return None, None


def _is_gone(name: Name | None, arguments: tuple[type[Model] | None, Any]) -> bool:
    return name is not None and arguments[0] is None
