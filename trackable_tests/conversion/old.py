"""What tests of the conversion share: a table of old counters, and how it is converted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from trackable.conversion.converter import ConversionReport, Converter
from trackable.conversion.plan import Plan
from trackable_tests.testapp.models import OldHits, Page, PageData

FIRST_DAY = date(2020, 2, 27)


def old_hits(number: int = 5, **kwargs: Any) -> list[OldHits]:
    """Make one record a day, with 1, 2, 3 ... hits, of one page."""
    page = Page.objects.get_or_create(slug="a")[0]
    records = [
        OldHits(**{"page": page, "day": FIRST_DAY + timedelta(n), "hits": n + 1} | kwargs)
        for n in range(number)
    ]
    return OldHits.objects.bulk_create(records)


def a_plan(**kwargs: Any) -> Plan:
    defaults = {"updates": (("hits", "views"),), "link": "page", "period": "day"}
    return Plan(OldHits, kwargs.pop("data_cls", PageData), **defaults | kwargs)


def convert(
    plan: Plan | None = None, *, batch_size: int = 2, forget: bool = False, **kwargs: Any
) -> ConversionReport:
    converter = Converter(plan or a_plan(), batch_size=batch_size, **kwargs)
    converter.start(forget=forget)
    for _ in converter.run():
        pass
    return converter.report
