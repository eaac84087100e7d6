"""The answer of a tracking pixel: one transparent pixel, that nothing on the way may keep."""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse

#: GIF89a, 43 bytes: the smallest that is whole, with the code that ends its data
TRANSPARENT_GIF: Final = bytes.fromhex(
    "474946383961 01000100800000 ffffff000000 21f9040100000000 2c00000000010001000002024401003b"
)
#: Each of these alone is understood by some cache or other.
NEVER_CACHED: Final = {
    "Cache-Control": "no-store, no-cache, must-revalidate, private, max-age=0",
    "Pragma": "no-cache",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
}


def pixel_response() -> HttpResponse:
    """Return the image, as an answer that each request has to ask for anew."""
    headers = {
        **NEVER_CACHED,
        "Content-Type": "image/gif",
        # A mail reader on another site shows it too.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return HttpResponse(TRANSPARENT_GIF, headers=headers)
