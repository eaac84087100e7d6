"""Reports tell what each partner has brought, and what became of its calls."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from trackable.contrib.affiliations import reports
from trackable.contrib.affiliations.models import Callback, Partner, PartnerData
from trackable.contrib.affiliations.reports import COLUMNS, Report, Row, as_csv
from trackable.contrib.affiliations.timespans import DAY, MONTH, WHOLE, Timespan
from trackable_tests.contrib.affiliations.owing import State, owe
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db

FIRST, LAST = date(2026, 10, 1), date(2026, 11, 30)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def partner(name: str = "Harbour", **values: Any) -> Partner:
    return Partner.objects.create(name=name, active=True, **values)


def bring(whose: Partner, day: date, referrals: int, conversions: int = 0) -> None:
    PartnerData.objects.create(
        parent=whose, collected_during=day, referrals=referrals, conversions=conversions
    )


def call(whose: Partner, state: str, at: datetime = NOON) -> Callback:
    return owe("http://partner.example/", partner=whose, state=state, created_at=at)


def rows_of(by: str = WHOLE, search: str = "", span: tuple[date, date] = (FIRST, LAST)) -> Any:
    report = Report(Timespan(*span, by), search)
    return report.rows(report.partner_ids())


def numbers(row: Row) -> list[int]:
    return [row.referrals, row.conversions, row.delivered, row.pending, row.failed, row.refused]


def test_each_partner_has_its_sums() -> None:
    one, other = partner("One"), partner("Other")
    bring(one, date(2026, 10, 1), 3, 1)
    bring(one, date(2026, 11, 30), 4, 1)
    bring(other, date(2026, 11, 1), 10)
    for state in (State.DELIVERED, State.DELIVERED, State.PENDING, State.FAILED, State.REFUSED):
        call(one, state)
    found = {row.partner.name: numbers(row) for row in rows_of()}
    assert found == {"One": [7, 2, 2, 1, 1, 1], "Other": [10, 0, 0, 0, 0, 0]}


def test_who_has_sent_most_is_first_and_who_sent_nobody_is_there() -> None:
    for name, referrals in (("B", 0), ("A", 0), ("Least", 1), ("Most", 5)):
        whose = partner(name)
        if referrals:
            bring(whose, FIRST, referrals)
    assert [row.partner.name for row in rows_of()] == ["Most", "Least", "A", "B"]


def test_days_before_and_behind_are_left_out() -> None:
    whose = partner()
    for day in (FIRST - timedelta(days=1), FIRST, LAST, LAST + timedelta(days=1)):
        bring(whose, day, 1)
    for hours in (-1, 0, 61 * 24 - 1, 61 * 24):
        call(whose, State.DELIVERED, datetime(2026, 10, 1, tzinfo=UTC) + timedelta(hours=hours))
    assert [numbers(row) for row in rows_of()] == [[2, 0, 2, 0, 0, 0]]


def test_months_and_days_with_something_have_rows_newest_first() -> None:
    whose = partner()
    bring(whose, date(2026, 10, 30), 1)
    bring(whose, date(2026, 10, 31), 2, 1)
    call(whose, State.DELIVERED)
    assert [(row.period, *numbers(row)[:3]) for row in rows_of(MONTH)] == [
        ("2026-11", 0, 0, 1),
        ("2026-10", 3, 1, 0),
    ]
    assert [(row.period, *numbers(row)[:3]) for row in rows_of(DAY)] == [
        ("2026-11-20", 0, 0, 1),
        ("2026-10-31", 2, 1, 0),
        ("2026-10-30", 1, 0, 0),
    ]


def test_calls_belong_to_the_sites_days(settings: Any) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    call(partner(), State.DELIVERED, datetime(2026, 11, 20, 11, 30, tzinfo=UTC))
    assert [row.period for row in rows_of(DAY)] == ["2026-11-21"]


def test_sums_are_the_same_whichever_the_periods() -> None:
    for name in "ABC":
        whose = partner(name)
        for day in range(0, 61, 7):
            bring(whose, FIRST + timedelta(days=day), day, 1)
            call(whose, State.FAILED, NOON - timedelta(days=day % 50))
    sums = {
        by: [sum(column) for column in zip(*map(numbers, rows_of(by)), strict=True)]
        for by in (WHOLE, MONTH, DAY)
    }
    total = numbers(Report(Timespan(FIRST, LAST)).total())
    assert sums[WHOLE] == sums[MONTH] == sums[DAY] == total


@for_each(
    "referrals, conversions, rate, percent",
    [(28, 1, 1 / 28, "3.6\u00a0%"), (0, 3, None, None), (2, 3, 1.5, "150.0\u00a0%")],
)
def test_rate_is_of_the_same_period(
    referrals: int, conversions: int, rate: Any, percent: Any
) -> None:
    row = Row(None, referrals=referrals, conversions=conversions)
    assert (row.rate, row.percent) == (rate, percent)


def test_partners_are_found_by_a_part_of_the_name_or_by_uid() -> None:
    one = partner("Harbour Guide")
    partner("Other")
    assert [row.partner.name for row in rows_of(search=" guide ")] == ["Harbour Guide"]
    assert [row.partner.name for row in rows_of(search="harbour")] == ["Harbour Guide"]
    assert [row.partner.name for row in rows_of(search=one.uid)] == ["Harbour Guide"]
    assert rows_of(search="%") == []


def test_total_is_of_the_partners_that_are_found() -> None:
    one, other = partner("One"), partner("Other")
    bring(one, FIRST, 1)
    bring(other, FIRST, 10)
    call(other, State.DELIVERED)
    assert numbers(Report(Timespan(FIRST, LAST), "One").total())[:3] == [1, 0, 0]
    assert numbers(Report(Timespan(FIRST, LAST)).total())[:3] == [11, 0, 1]


def test_nobody_is_a_report_without_rows() -> None:
    report = Report(Timespan(FIRST, LAST))
    assert (report.partner_ids(), report.rows([]), numbers(report.total())) == ([], [], [0] * 6)


@for_each("by", [WHOLE, MONTH, DAY])
def test_number_of_queries_does_not_grow_with_the_partners(
    by: str, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        bring(partner(f"P{number}"), FIRST, number)
    report = Report(Timespan(FIRST, LAST, by))
    keys = report.partner_ids()
    with django_assert_num_queries(3):
        assert len(report.rows(keys)) == 20


def test_page_of_many_periods_has_fewer_partners() -> None:
    spans = {WHOLE: 100, MONTH: 50, DAY: 1}
    assert {by: Report(Timespan(FIRST, LAST, by)).partners_at_a_time for by in spans} == spans
    year = Timespan(date(2025, 12, 1), LAST, DAY)
    assert Report(year).partners_at_a_time == 1


# CSV


def parsed(report: Report) -> list[dict[str, str]]:
    text = "".join(as_csv(report))
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_all_partners_and_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "ROWS_AT_A_TIME", 2)
    for number in range(5):
        bring(partner(f"P{number}"), FIRST, 8 - number, 1)
    found = parsed(Report(Timespan(FIRST, LAST)))
    assert [line["partner"] for line in found] == ["P0", "P1", "P2", "P3", "P4"]
    assert tuple(found[0]) == COLUMNS
    assert (found[0]["rate"], found[0]["period"]) == ("0.125", "2026-10-01/2026-11-30")


def test_csv_by_day_names_the_day() -> None:
    bring(partner(), FIRST, 2)
    (line,) = parsed(Report(Timespan(FIRST, LAST, DAY)))
    assert (line["period"], line["rate"], line["active"]) == ("2026-10-01", "0.0", "True")


def test_rate_of_nothing_is_empty_in_csv() -> None:
    partner()
    assert parsed(Report(Timespan(FIRST, LAST)))[0]["rate"] == ""


@for_each("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_name_is_no_formula_in_csv(sign: str) -> None:
    partner(f'{sign}HYPERLINK("http://x";"y")')
    (line,) = parsed(Report(Timespan(FIRST, LAST)))
    assert line["partner"].startswith("'")
