"""Permissions: who may see which counts."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_permission_codename
from django.utils.module_loading import import_string

from trackable import conf
from trackable.api.problems import Problem

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackable.models import TrackableData


def require_caller(request: HttpRequest) -> None:
    """Raise ``Problem`` for nobody, unless ``TRACKABLE_API_PERMISSION`` may let nobody in."""
    if conf.get("API_PERMISSION") is None and not _is_known(request):
        raise _refusal(request)


def require(
    request: HttpRequest,
    data_cls: type[TrackableData],
    models: Sequence[type[Model]],
    obj: Model | None = None,
) -> None:
    """Raise ``Problem`` unless the caller may see the counts of an object, or of all the models.

    By default that takes the ``view`` permissions of the data class and of each of the models.
    """
    own = conf.get("API_PERMISSION")
    if own is None:
        is_allowed = all(_may_view(request, each) for each in (data_cls, *models))
    else:
        is_allowed = bool(import_string(own)(request, data_cls, obj))
    if not is_allowed:
        raise _refusal(request)


def visible(
    request: HttpRequest, data_cls: type[TrackableData], models: Sequence[type[Model]]
) -> list[type[Model]]:
    """Return those of a data class's models of which the caller may see the counts."""
    own = conf.get("API_PERMISSION")
    if own is not None:
        return list(models) if import_string(own)(request, data_cls, None) else []
    if not _may_view(request, data_cls):
        return []
    return [model for model in models if _may_view(request, model)]


def _may_view(request: HttpRequest, model: type[Model]) -> bool:
    opts = model._meta
    user: Any = getattr(request, "user", None)
    name = f"{opts.app_label}.{get_permission_codename('view', opts)}"
    return user is not None and bool(user.has_perm(name))


def _is_known(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return user is not None and bool(user.is_authenticated)


def _refusal(request: HttpRequest) -> Problem:
    if _is_known(request):
        return Problem(HTTPStatus.FORBIDDEN, "You may not see these counts: ask for permission.")
    challenge = f'Cookie cookie-name="{settings.SESSION_COOKIE_NAME}"'
    return Problem(
        HTTPStatus.UNAUTHORIZED, "Log in first.", headers={"WWW-Authenticate": challenge}
    )
