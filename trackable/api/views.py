"""The views: one for each operation, and the description of them all."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from trackable.api import parameters, permissions
from trackable.api.answers import Answer, respond
from trackable.api.openapi import description
from trackable.api.operations import Operation
from trackable.api.problems import Problem
from trackable.exceptions import TrackableError

if TYPE_CHECKING:
    from django.http import HttpRequest

METHODS: Final = ("GET", "HEAD", "OPTIONS")

View = Callable[..., HttpResponseBase]


def _api(view: View) -> View:
    """Have a view answer the methods that read, and tell its errors as problems.

    It asks for permission itself, and nothing that it answers to changes anything.
    """

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def wrapped(request: HttpRequest, **path: str) -> HttpResponseBase:
        allow = {"Allow": ", ".join(METHODS)}
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=allow)
        try:
            if request.method not in METHODS:
                detail = f"Use one of {allow['Allow']}."
                raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers=allow)
            return view(request, **path)
        except Problem as problem:
            return problem.response()
        except TrackableError as error:  # what was asked for is not what the data class has
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)).response()

    return wrapped


def view_of(operation: Operation) -> View:
    """Return the view of an operation."""

    @_api
    def view(request: HttpRequest, **path: str) -> HttpResponseBase:
        permissions.require_caller(request)
        named = {each.name: each.read([path[each.name]]) for each in operation.of("path")}
        try:
            query = request.GET
        except SuspiciousOperation as error:
            raise Problem(HTTPStatus.BAD_REQUEST, "There are too many parameters.") from error
        sent = {**named, **parameters.read(operation.of("query"), query)}
        return respond(request, operation.read(request, sent), sent["format"])

    return view


@_api
def openapi(request: HttpRequest) -> HttpResponseBase:
    """Answer the description of the API to anybody: what it names, the caller may see."""
    return respond(request, Answer(description(request)), "json")
