"""The description of the API in OpenAPI 3.1, made of what validates the requests."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.urls import reverse

import trackable
from trackable import conf
from trackable.api import subjects
from trackable.api.answers import CSV, JSON
from trackable.api.index import visible
from trackable.api.operations import OPERATIONS, Operation
from trackable.api.parameters import Parameter
from trackable.api.problems import CONTENT_TYPE
from trackable.api.schemas import COMPONENTS, ref

if TYPE_CHECKING:
    from django.http import HttpRequest

VERSION: Final = "3.1.0"
PLACEHOLDER: Final = re.compile(r"<str:(\w+)>")
#: What is answered in place of counts.
PROBLEMS: Final = {
    HTTPStatus.BAD_REQUEST: "A parameter is wrong by itself, or there is none of that name.",
    HTTPStatus.UNAUTHORIZED: "The caller is not logged in.",
    HTTPStatus.FORBIDDEN: "The caller may not see these counts.",
    HTTPStatus.NOT_FOUND: "There is no such data class, field, model or object.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The method is neither GET, HEAD nor OPTIONS.",
    HTTPStatus.PRECONDITION_FAILED: "The answer is not the one that `If-Match` names.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Parameters do not go together, or not with the data class.",
}


def description(request: HttpRequest) -> dict[str, Any]:
    """Return the description, with the names of what the caller may see."""
    root = reverse("trackable_api:index")
    names = _names_seen_by(request)
    return {
        "openapi": VERSION,
        "info": {
            "title": "trackable",
            "version": trackable.__version__,
            "description": "Counts of the objects of this site. Errors are problem details.",
        },
        "servers": [{"url": root.rstrip("/") or "/"}],
        "security": [{"session": []}] + ([] if conf.get("API_PERMISSION") is None else [{}]),
        "paths": {_path(each): {"get": _get(each, names)} for each in OPERATIONS},
        "components": {"schemas": COMPONENTS, "securitySchemes": {"session": _session()}},
    }


def _names_seen_by(request: HttpRequest) -> dict[str, list[str]]:
    """Return the names by the parameters that may have them."""
    seen = visible(request)
    fields = {name for data_cls, _ in seen for name in subjects.fields_of(data_cls)}
    models = {label for _, models in seen for label in subjects.labels_of(models)}
    classes = [data_cls._meta.label for data_cls, _ in seen]
    return {"data_class": classes, "field": sorted(fields), "model": sorted(models)}


def _path(operation: Operation) -> str:
    return "/" + PLACEHOLDER.sub(r"{\1}", operation.route)


def _session() -> dict[str, str]:
    return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


def _get(operation: Operation, names: dict[str, list[str]]) -> dict[str, Any]:
    answer = {
        "description": "OK",
        "headers": {"ETag": {"schema": {"type": "string"}}},
        "content": {
            JSON: {"schema": ref(operation.schema)},
            CSV: {"schema": {"type": "string"}},
        },
    }
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_parameter(each, names) for each in operation.parameters],
        "responses": {
            "200": answer,
            "304": {"description": "The answer is the one that `If-None-Match` names."},
            **{str(status.value): _problem(text) for status, text in PROBLEMS.items()},
        },
    }


def _parameter(parameter: Parameter, names: dict[str, list[str]]) -> dict[str, Any]:
    schema = parameter.schema()
    if names.get(parameter.name):
        schema["enum"] = names[parameter.name]
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": schema,
    }


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {CONTENT_TYPE: {"schema": ref("Problem")}}}
