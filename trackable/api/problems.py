"""Problems: errors that tell which parameter is wrong, and what to send instead (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpResponse

CONTENT_TYPE: Final = "application/problem+json"


class Problem(Exception):  # noqa: N818
    """What is answered in place of counts; the ``detail`` tells the cure."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the members of the problem."""
        named = {} if self.parameter is None else {"parameter": self.parameter}
        title = self.status.phrase
        return {"title": title, "status": self.status.value, "detail": self.detail, **named}

    def response(self) -> HttpResponse:
        """Return the problem as an answer, which no cache keeps."""
        return HttpResponse(
            json.dumps(self.body()),
            content_type=CONTENT_TYPE,
            status=self.status.value,
            headers={"Cache-Control": "no-store", **self.headers},
        )


def malformed(parameter: str, demand: str) -> Problem:
    """Return the problem of a parameter that is wrong by itself."""
    return Problem(HTTPStatus.BAD_REQUEST, f"{parameter} must be {demand}.", parameter=parameter)


def unfit(parameter: str, detail: str) -> Problem:
    """Return the problem of a parameter that does not go with the others, or with the counts."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, parameter=parameter)


def absent(parameter: str, detail: str) -> Problem:
    """Return the problem of a parameter that names nothing."""
    return Problem(HTTPStatus.NOT_FOUND, detail, parameter=parameter)
