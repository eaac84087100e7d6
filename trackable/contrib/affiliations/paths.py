"""Paths: that of a request as the browser wrote it, so that a redirect leads to the same one.

Django knows it decoded, and there are many ways to write that. Most servers keep it as it came;
what they kept counts only if it says what Django has read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, unquote_to_bytes

from django.core.handlers.wsgi import WSGIRequest
from django.utils.encoding import repercent_broken_unicode
from django.utils.http import escape_leading_slashes

if TYPE_CHECKING:
    from django.http import HttpRequest

#: where servers keep it under WSGI: gunicorn; uWSGI, Apache, waitress and others
NAMES: Final = ("RAW_URI", "REQUEST_URI")
#: What may stand for itself in a path, without what begins a query or a fragment.
SAFE: Final = "/:@&+$,-_.!~*'();="
#: what may not stand in a header, ends a path, or is a slash to some browsers
UNSAFE: Final = re.compile(r"[^!-~]|[#?\\]")
#: bytes that are not of ASCII, as Django shows those that are no UTF-8
ESCAPED: Final = re.compile(r"((?:%[89A-F][0-9A-F])+)")


def path_of(request: HttpRequest) -> str:
    """Return the path of a request for a ``Location``: in ASCII, and always of this host.

    Two slashes at its beginning would name a host, so the second one is percent-encoded.
    """
    path = UNSAFE.sub(_encoded, _kept(request) or _quoted(request.path))
    return escape_leading_slashes(path if path.startswith("/") else f"/{path}")


def _kept(request: HttpRequest) -> str:
    """Return the path as a server has kept it; nothing if none has, or it is another one."""
    for target in _targets(request):
        written = target.partition("?")[0]
        read = _read(written, is_wsgi=isinstance(request, WSGIRequest))
        if read == request.path:
            return written
        if read == request.path_info and request.path.endswith(read):
            # A proxy has taken away what is in front of it.
            return _quoted(request.path.removesuffix(read)) + written
    return ""


def _targets(request: HttpRequest) -> list[str]:
    """Return what servers have kept: each letter is a byte."""
    if isinstance(request, WSGIRequest):
        return [request.META.get(name, "") for name in NAMES]
    scope = getattr(request, "scope", {})
    return [(scope.get("raw_path") or b"").decode("latin-1")]


def _read(written: str, *, is_wsgi: bool) -> str:
    """Return what a path is to Django, or to the servers under ASGI, which decode it there."""
    raw = unquote_to_bytes(written.encode("latin-1", "replace"))
    return repercent_broken_unicode(raw).decode() if is_wsgi else raw.decode("utf-8", "replace")


def _quoted(path: str) -> str:
    """Return a path that Django has read as it can be written, also where it was no UTF-8."""
    parts = ESCAPED.split(path)
    return "".join(
        part if number % 2 and "\ufffd" in unquote(part) else quote(part, safe=SAFE)
        for number, part in enumerate(parts)
    )


def _encoded(match: re.Match[str]) -> str:
    return quote(match.group(), safe="", encoding="latin-1", errors="replace")
