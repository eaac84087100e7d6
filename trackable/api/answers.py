"""Answers: what is read, as JSON or CSV, with what browsers need to ask for it again cheaply."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from http import HTTPStatus
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from django.http import HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers

from trackable.api.problems import Problem
from trackable.export import guarded

if TYPE_CHECKING:
    from django.http import HttpRequest

JSON: Final = "application/json"
CSV: Final = "text/csv"
#: What an answer depends on, besides its URL.
VARY: Final = ("Accept", "Authorization", "Cookie")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: members for JSON, and the same as a table for CSV."""

    members: dict[str, Any]
    header: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    links: dict[str, str] = field(default_factory=dict)


def respond(request: HttpRequest, answer: Answer, form: str | None) -> HttpResponseBase:
    """Return an answer in the form that is asked for, or 304 if the caller has it.

    Raises ``Problem`` for a precondition that fails.
    """
    is_csv = form == "csv" or (form is None and _prefers_csv(request))
    content = _as_csv(answer) if is_csv else _as_json(answer)
    response = HttpResponse(content, content_type=f"{CSV}; charset=utf-8" if is_csv else JSON)
    if is_csv:
        response["Content-Disposition"] = 'attachment; filename="counts.csv"'
    if answer.links:
        links = [f'<{url}>; rel="{name}"' for name, url in answer.links.items()]
        response["Link"] = ", ".join(links)
    response["ETag"] = f'"{sha256(content).hexdigest()[:32]}"'
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    patch_vary_headers(response, VARY)
    return _unless_known(request, response)


def _prefers_csv(request: HttpRequest) -> bool:
    return request.get_preferred_type([JSON, CSV]) == CSV


def _as_json(answer: Answer) -> bytes:
    text = json.dumps(answer.members, default=_plain, allow_nan=False, separators=(",", ":"))
    return text.encode("ascii")


def _plain(value: Any) -> str:
    """Decimals are text, so that no reader rounds them."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} is not for JSON.")


def _as_csv(answer: Answer) -> bytes:
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow(answer.header)
    writer.writerows([guarded(cell) for cell in row] for row in answer.rows)
    return file.getvalue().encode("utf-8", "replace")


def _unless_known(request: HttpRequest, response: HttpResponse) -> HttpResponseBase:
    found = get_conditional_response(request, etag=response["ETag"], response=response)
    if found is None or found.status_code == HTTPStatus.PRECONDITION_FAILED:
        raise Problem(HTTPStatus.PRECONDITION_FAILED, "It is another one by now: ask anew.")
    return found
