"""Links: signed addresses that say by themselves what to record, and where to go.

Nothing is stored for a link, and nobody can make one, or change it, without the site's
``SECRET_KEY``. A link can be used again: each time is a beacon.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import DisallowedHost
from django.core.signing import BadSignature, TimestampSigner, b64_decode, b64_encode
from django.urls import reverse
from django.utils.html import format_html

from trackable.contrib.beacons import conf
from trackable.contrib.beacons.naming import LinkError, Name, name_of

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

SALT: Final = "trackable.contrib.beacons.links"
#: how what is signed begins, by how it is written; never with a dot, which servers hide
PLAIN: Final = "j"
COMPRESSED: Final = "z"
#: what a signed part is made of, and no other text need be looked at
SIGNED: Final = re.compile(rf"[{PLAIN}{COMPRESSED}][\w:-]{{1,{conf.MAX_LINK_LENGTH}}}", re.ASCII)

#: flags
PIXEL: Final = 1
STRICT: Final = 2
KNOWN_FLAGS: Final = (None, 0, PIXEL, STRICT, PIXEL | STRICT)


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says: the objects by their labels and keys, and how to answer."""

    target: Name | None = None
    source: Name | None = None
    entity: Name | None = None
    pixel: bool = False
    ignore_errors: bool = True
    expire_after_seconds: int | None = None

    def packed(self) -> list[Any]:
        """Return what travels: what is absent at the end is left out."""
        flags = PIXEL * self.pixel | STRICT * (not self.ignore_errors)
        cells = [self.target, self.source, self.entity, flags, self.expire_after_seconds]
        while cells and not cells[-1]:
            cells.pop()
        return cells

    @classmethod
    def unpacked(cls, cells: Any) -> Link:
        """Return the link of what has travelled. Raises ``ValueError`` for another shape.

        What this version does not know is such a shape: nobody knows what it would change.
        """
        match [*cells, *[None] * (5 - len(cells))] if isinstance(cells, list) else None:
            case [target, source, entity, flags, int() | None as seconds] if flags in KNOWN_FLAGS:
                names = _name(target), _name(source), _name(entity)
                is_strict = bool((flags or 0) & STRICT)
                return cls(*names, bool((flags or 0) & PIXEL), not is_strict, seconds)
        raise ValueError("a link has another shape")


def beacon_url(
    target: Model | None = None,
    *,
    source: Model | None = None,
    entity: Model | type[Model] | str | None = None,
    request: HttpRequest | None = None,
    pixel: bool = False,
    ignore_errors: bool = True,
    expire_after_seconds: float | None = None,
) -> str:
    """Return the address of a link to the target, that records who follows it.

    ``entity`` is an object, or a model or its label for a new object each time. With ``pixel``
    it is the address of an image, and needs no target. The link works for
    ``expire_after_seconds``, else for ``BEACON_LINK_MAX_AGE``. It begins with
    ``BEACON_BASE_URL``, else with the request's host, else it is a path. Runs no SQL.

    Raises ``LinkError``, and ``UnsavedObject`` for a target or a source that has no row.
    """
    if target is None and not pixel:
        raise LinkError("A link needs a target, unless it is for a pixel: pass an object.")
    link = Link(
        name_of(target),
        name_of(source),
        name_of(entity, can_be_new=True),
        pixel=bool(pixel),
        ignore_errors=bool(ignore_errors),
        expire_after_seconds=_expiry(expire_after_seconds),
    )
    return url_of(link, request=request)


def beacon_image(target: Model | None = None, **options: Any) -> SafeString:
    """Return an ``<img>`` whose loading is recorded; the options are those of ``beacon_url``."""
    url = beacon_url(target, pixel=True, **options)
    return format_html('<img src="{}" width="1" height="1" alt="">', url)


def url_of(link: Link, *, request: HttpRequest | None = None) -> str:
    """Return the address of a link. Raises ``LinkError`` if it is too long."""
    path = reverse("beacons:link", kwargs={"signed": sign(link)})
    url, limit = _whole(path, request), conf.get("BEACON_MAX_URL_LENGTH")
    if len(url) > limit:
        raise LinkError(
            f"A link of {len(url)} characters is longer than BEACON_MAX_URL_LENGTH, {limit}:"
            " name fewer objects, or raise the setting."
        )
    return url


def sign(link: Link) -> str:
    """Return what a link says as text that only this site can write."""
    data = json.dumps(link.packed(), separators=(",", ":")).encode()
    compressed = zlib.compress(data, 9)
    kind, data = (COMPRESSED, compressed) if len(compressed) < len(data) else (PLAIN, data)
    return TimestampSigner(salt=SALT).sign(kind + b64_encode(data).decode())


def read(signed: str) -> Link | None:
    """Return what a link says; ``None`` if this site has not signed it, or it has expired."""
    if not SIGNED.fullmatch(signed):
        return None
    signer = TimestampSigner(salt=SALT)
    try:
        text = signer.unsign(signed)
        data = b64_decode(text[1:].encode())
        link = Link.unpacked(json.loads(zlib.decompress(data) if text[0] == COMPRESSED else data))
        age = link.expire_after_seconds or conf.get("BEACON_LINK_MAX_AGE")
        signer.unsign(signed, max_age=age)
    except (BadSignature, ValueError, zlib.error):
        return None
    return link


def _expiry(seconds: Any) -> int | None:
    if seconds is None:
        return None
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds < math.inf:
        raise LinkError(f"A link cannot expire after {seconds!a:.80} seconds: pass a number.")
    return math.ceil(float(seconds))


def _name(cells: Any) -> Name | None:
    match cells:
        case None:
            return None
        case [str(label)]:
            return (label,)
        case [str(label), int() | str() as key]:
            return label, key
    raise ValueError("a name has another shape")


def _whole(path: str, request: HttpRequest | None) -> str:
    base: Any = conf.get("BEACON_BASE_URL")
    if base:
        return str(base).rstrip("/") + path
    if request is None:
        return path
    try:
        return request.build_absolute_uri(path)
    except (DisallowedHost, KeyError):  # the request's host is none of ours, or it has none
        return path
