"""User agents of people and of crawlers, as they stand in access logs.

The demo decides by these two lists who was sent as what; trackable's own filter has to agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final


def _lines(name: str) -> tuple[str, ...]:
    return tuple(Path(__file__).with_name(name).read_text().splitlines())


PEOPLE: Final = _lines("people.txt")
CRAWLERS: Final = _lines("crawlers.txt")
