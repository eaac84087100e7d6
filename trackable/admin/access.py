"""Access: which objects and whose counts somebody may look at, in one site of the admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from trackable import parents, sites

if TYPE_CHECKING:
    from django.db.models import Model

    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


def admin_of(site: admin.AdminSite, model: type[Model]) -> ModelAdmin | None:
    """Return the pages that a model has in a site, if any."""
    try:
        return site.get_model_admin(model)
    except NotRegistered:
        return None


def may_view(site: admin.AdminSite, request: HttpRequest, obj: Model) -> bool:
    """Tell whether somebody may look at an object; one without pages goes by the permissions."""
    if model_admin := admin_of(site, type(obj)):
        return model_admin.has_view_or_change_permission(request, obj)
    return _has_permission(request, type(obj))


def may_view_all(site: admin.AdminSite, request: HttpRequest, model: type[Model]) -> bool:
    """Tell whether somebody may look at the objects of a model."""
    if model_admin := admin_of(site, model):
        return model_admin.has_view_or_change_permission(request)
    return _has_permission(request, model)


def _has_permission(request: HttpRequest, model: type[Model]) -> bool:
    opts = model._meta
    codenames = (get_permission_codename(action, opts) for action in ("view", "change"))
    return any(request.user.has_perm(f"{opts.app_label}.{each}") for each in codenames)


def object_of(
    site: admin.AdminSite, request: HttpRequest, data_cls: Any, label: str, key: str
) -> Model:
    """Return the object that a URL names, of a model that a data class counts for.

    Raises ``Http404``, and ``PermissionDenied``.
    """
    model = _model_of(data_cls, label)
    if "\0" in unquote(key):  # no database stores it
        raise Http404(gettext("There is no such object."))
    model_admin = admin_of(site, model)
    if model_admin is None:
        pk = parents.converted(model._meta.pk, unquote(key))
        obj = None if pk is None else model._default_manager.filter(pk=pk).first()
    elif not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    else:
        obj = model_admin.get_object(request, unquote(key))
    if obj is None:
        raise Http404(gettext("There is no such object."))
    if not may_view(site, request, obj):
        raise PermissionDenied
    return obj


def _model_of(data_cls: Any, label: str) -> type[Model]:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        model = None
    if model is None or not counts_for(data_cls, model):
        raise Http404(gettext("Nothing is counted for that."))
    return model


def counts_for(data_cls: Any, model: type[Model]) -> bool:
    """Tell whether a data class counts for the objects of a model, in any registry."""
    return any(each.holder_of(model, data_cls) is not None for each in sites.all_sites())


def data_admins(site: admin.AdminSite, request: HttpRequest, model: type[Model]) -> Iterator[Any]:
    """Yield the pages, with statistics and for this person, of the data classes of a model."""
    for data_cls in sites.data_classes_of(model):
        model_admin: Any = admin_of(site, data_cls)
        if hasattr(model_admin, "statistics_view") and model_admin.has_view_permission(request):
            yield model_admin


def url_of(site: admin.AdminSite, name: str, *args: Any) -> str | None:
    """Return the URL of a page of a site; ``None`` where the site does not have it."""
    try:
        return reverse(f"admin:{name}", args=args, current_app=site.name)
    except NoReverseMatch:
        return None


def statistics_url(model_admin: Any, obj: Model) -> str | None:
    """Return where the counts of an object, in the rows of a data class, are shown."""
    opts = model_admin.opts
    name = f"{opts.app_label}_{opts.model_name}_statistics"
    return url_of(model_admin.admin_site, name, obj._meta.label_lower, quote(obj.pk))
