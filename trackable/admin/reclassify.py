"""Reclassify: has what a pattern kept out counted from now on, and takes that back.

An exception says in its notes what its pattern was before, so that anybody can tell, and undo it.
"""

from __future__ import annotations

import re
from typing import Final

from django.db import transaction

from trackable.models import Spider

BUILT_IN: Final = "built-in"
WAS: Final = re.compile(rf" ?\(was: ({BUILT_IN}|{Spider.Kind.SUBSTRING}|{Spider.Kind.REGEX})\)$")
MAX_LENGTH: Final = 255


def spider_of(pattern: str) -> Spider | None:
    """Return the row of exactly this pattern; some databases take others for equal."""
    found = Spider.objects.filter(pattern=pattern)
    return next((spider for spider in found if spider.pattern == pattern), None)


def except_pattern(pattern: str) -> Spider:
    """Make an exception of a pattern: of its row, or a new one of a pattern that has none.

    Raises ``ValidationError``.
    """
    with transaction.atomic():
        spider = spider_of(pattern) or Spider(pattern=pattern)
        if spider.kind != Spider.Kind.EXCEPTION:
            was = BUILT_IN if spider.pk is None else spider.kind
            notes = f"{spider.notes} (was: {was})".strip()
            spider.notes = notes if len(notes) <= MAX_LENGTH else spider.notes
            spider.kind = Spider.Kind.EXCEPTION
            spider.save()
    return spider


def kind_before(spider: Spider) -> str | None:
    """Return what the pattern of an exception was; ``None`` for one that somebody wrote."""
    found = WAS.search(spider.notes) if spider.kind == Spider.Kind.EXCEPTION else None
    return found[1] if found else None


def undo(spider: Spider) -> bool:
    """Have a pattern keep out again what it did before; tell whether that is known."""
    match kind_before(spider):
        case None:
            return False
        case "built-in":
            spider.delete()
        case kind:
            spider.kind = kind
            spider.notes = WAS.sub("", spider.notes)
            spider.save()
    return True
