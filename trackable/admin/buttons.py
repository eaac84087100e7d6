"""Buttons: links among the tools of pages that other people's classes and templates make.

A page is rendered by a template that extends whichever one it would have been rendered by: that of
Django, of a theme, or of the project. One without the block ``object-tools-items`` stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.template.response import TemplateResponse

from trackable.admin import access

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

TEMPLATE: Final = "admin/trackable/buttons.html"


@dataclass(frozen=True, slots=True)
class Button:
    """A link among the tools of a page."""

    url: str
    text: Any


def add_buttons(response: HttpResponse, buttons: list[Button]) -> HttpResponse:
    """Put buttons before the other tools of a page that is not rendered yet."""
    if buttons and isinstance(response, TemplateResponse) and not response.is_rendered:
        extended = response.resolve_template(response.template_name)
        more = {"trackable_extended": extended, "trackable_buttons": buttons}
        response.context_data = {**(response.context_data or {}), **more}
        response.template_name = TEMPLATE
    return response


class FormWithStatistics:
    """Stands for the ``render_change_form`` of a tracked model's pages."""

    def __init__(self, model_admin: Any) -> None:
        self.model_admin = model_admin
        self.render = model_admin.render_change_form

    def __call__(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response: HttpResponse = self.render(request, context, *args, **kwargs)
        obj = context.get("original")
        return response if obj is None else add_buttons(response, self._buttons(request, obj))

    def _buttons(self, request: HttpRequest, obj: Any) -> list[Button]:
        from trackable.admin.statistics import TITLE

        for model_admin in access.data_admins(self.model_admin.admin_site, request, type(obj)):
            if url := access.statistics_url(model_admin, obj):
                return [Button(url, TITLE)]
        return []


def wire(site: admin.AdminSite, data_cls: Any) -> None:
    """Give the change forms of all that a data class counts for their button, once."""
    for model, model_admin in site._registry.items():
        is_wired = isinstance(model_admin.render_change_form, FormWithStatistics)
        if not is_wired and access.counts_for(data_cls, model):
            model_admin.render_change_form = FormWithStatistics(model_admin)  # type: ignore[method-assign]
