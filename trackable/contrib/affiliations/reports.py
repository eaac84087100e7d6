"""Reports: what each partner has brought in a time, and what became of the calls it was owed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import router
from django.db.models import Case, Count, DateField, F, IntegerField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import TruncMonth
from django.utils import formats

from trackable.contrib.affiliations.models import Callback, Partner, PartnerData
from trackable.contrib.affiliations.timespans import MONTH, WHOLE, Timespan
from trackable.export import guarded
from trackable.folding.chunks import chunked

#: About so many rows are made at once, whichever the periods.
ROWS_AT_A_TIME: Final = 100
RATE_PLACES: Final = 4
COLUMNS: Final = (
    *("partner", "uid", "active", "period", "referrals", "conversions", "rate"),
    *("delivered", "pending", "failed", "refused"),
)
Key = tuple[int, date]


@dataclass(slots=True)
class Row:
    """What there is of a partner in a period; of none if it is the sum of all."""

    partner: Partner | None
    period: str = ""
    referrals: int = 0
    conversions: int = 0
    delivered: int = 0
    pending: int = 0
    failed: int = 0
    refused: int = 0

    @property
    def rate(self) -> float | None:
        """Conversions per referral, of the same period: it may be above 1."""
        return self.conversions / self.referrals if self.referrals else None

    @property
    def percent(self) -> str | None:
        """The rate as a page has it, in the language of the page."""
        if self.rate is None:
            return None
        return f"{formats.number_format(round(100 * self.rate, 1), decimal_pos=1)}\u00a0%"


@dataclass(frozen=True, slots=True)
class Report:
    """The partners that a text finds, or all, in a time."""

    span: Timespan
    search: str = ""

    def partner_ids(self) -> list[int]:
        """Return the partners in their order: who has sent most is first, or else by name."""
        found = list(self._partners().order_by("name", "pk").values_list("pk", flat=True))
        if self.span.by == WHOLE:
            sums = self._data().values_list("parent").annotate(sum=Sum("referrals"))
            sent = dict(sums.order_by())
            found.sort(key=lambda pk: -sent.get(pk, 0))
        return found

    @property
    def partners_at_a_time(self) -> int:
        """The number of partners that make a page of about as many rows as others have."""
        return max(1, ROWS_AT_A_TIME // len(self.span.periods))

    def rows(self, partner_ids: Sequence[int]) -> list[Row]:
        """Return the rows of some partners: one each, or one for each period with something."""
        partners = self._partners().in_bulk(partner_ids)
        found: dict[Key, Row] = {}
        if self.span.by == WHOLE:
            found = {(pk, self.span.first): Row(partner) for pk, partner in partners.items()}
        for (pk, period), counts in self._counts(partner_ids):
            if pk in partners:
                text = "" if self.span.by == WHOLE else self.span.text_of(period)
                row = found.setdefault((pk, period), Row(partners[pk], text))
                for name, number in counts.items():
                    setattr(row, name, getattr(row, name) + number)
        order = {pk: number for number, pk in enumerate(partner_ids)}
        keys = sorted(found, key=lambda key: (order[key[0]], -key[1].toordinal()))
        return [found[key] for key in keys]

    def total(self) -> Row:
        """Return the sums of all partners of the report, in all of the time."""
        row = Row(None)
        data = self._data().filter(parent__in=self._partners())
        sums = data.aggregate(referrals=Sum("referrals"), conversions=Sum("conversions"))
        row.referrals, row.conversions = sums["referrals"] or 0, sums["conversions"] or 0
        calls = self._calls().filter(visitor__partner__in=self._partners())
        for state, number in calls.values_list("state").annotate(Count("pk")).order_by():
            setattr(row, state, number)
        return row

    def lines(self) -> Iterator[list[Any]]:
        """Yield the report as the lines of a table, with its header, some partners at a time."""
        yield list(COLUMNS)
        for chunk in chunked(self.partner_ids(), self.partners_at_a_time):
            for row in self.rows(chunk):
                yield [guarded(cell) for cell in self._cells(row)]

    def _cells(self, row: Row) -> list[Any]:
        partner = row.partner
        identity = [partner.name, partner.uid, partner.active] if partner else ["", "", ""]
        period = row.period or f"{self.span.first}/{self.span.last}"
        rate = None if row.rate is None else round(row.rate, RATE_PLACES)
        counts = [getattr(row, name) for name in COLUMNS[-4:]]
        return [*identity, period, row.referrals, row.conversions, rate, *counts]

    # what is asked of the database

    def _partners(self) -> QuerySet[Partner]:
        rows = Partner._base_manager.using(router.db_for_read(Partner))
        text = self.search.strip()
        return rows.filter(Q(name__icontains=text) | Q(uid=text)) if text else rows.all()

    def _data(self) -> QuerySet[PartnerData]:
        rows = PartnerData._base_manager.using(router.db_for_read(PartnerData))
        return rows.filter(
            collected_during__gte=self.span.first, collected_during__lte=self.span.last
        )

    def _calls(self) -> QuerySet[Callback]:
        rows = Callback._base_manager.using(router.db_for_read(Callback))
        return rows.filter(created_at__gte=self.span.starts_at, created_at__lt=self.span.ends_at)

    def _counts(self, partner_ids: Sequence[int]) -> Iterator[tuple[Key, dict[str, int]]]:
        yield from self._data_counts(partner_ids)
        yield from self._call_counts(partner_ids)

    def _data_counts(self, partner_ids: Sequence[int]) -> Iterator[tuple[Key, dict[str, int]]]:
        during: Any = F("collected_during")
        if self.span.by == MONTH:
            during = TruncMonth(during)
        elif self.span.by == WHOLE:
            during = Value(None, output_field=DateField())
        data = self._data().filter(parent__in=partner_ids).annotate(during=during)
        grouped = data.values_list("parent", "during")
        sums = grouped.annotate(Sum("referrals"), Sum("conversions")).order_by()
        for pk, period, referrals, conversions in sums:
            counts = {"referrals": int(referrals), "conversions": int(conversions)}
            yield (pk, period or self.span.first), counts

    def _call_counts(self, partner_ids: Sequence[int]) -> Iterator[tuple[Key, dict[str, int]]]:
        """Yield what became of calls; by the site's days, which not every database can tell."""
        ends = enumerate(self.span.ends)
        number = Case(
            *(When(created_at__lt=end, then=Value(n)) for n, end in ends),
            output_field=IntegerField(),
        )
        calls = self._calls().filter(visitor__partner__in=partner_ids).annotate(number=number)
        grouped = calls.values_list("visitor__partner", "number", "state").annotate(Count("pk"))
        periods = self.span.periods
        for pk, index, state, count in grouped.order_by():
            yield (pk, periods[index]), {state: count}


class _Echo:
    """Gives back what is written to it."""

    def write(self, text: str, /) -> str:
        return text


def as_csv(report: Report) -> Iterator[str]:
    """Yield the lines of a report as CSV (RFC 4180)."""
    writer = csv.writer(_Echo())
    for line in report.lines():
        yield writer.writerow(line)
