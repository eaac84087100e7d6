"""Pages: how a page of trackable's own is made a page of whichever admin site it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


def page(
    model_admin: ModelAdmin, request: HttpRequest, template: str, **context: Any
) -> TemplateResponse:
    """Return a page among those of a model, whose links lead to the same site."""
    site = model_admin.admin_site
    request.current_app = site.name
    common = {**site.each_context(request), "opts": model_admin.opts, "subtitle": None}
    return TemplateResponse(request, template, {**common, **context})
