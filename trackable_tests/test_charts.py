"""Charts: what is drawn, what is written beside it, and what is said to those who do not see it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from django.utils import translation

from trackable.charts import bar_chart, sparkline
from trackable.charts.glyphs import width_of
from trackable.charts.labels import GAP, HANGING, labels_of
from trackable.charts.marks import MAX_BARS, MAX_COLUMNS
from trackable.charts.scales import Scale
from trackable.charts.timeaxis import TimeAxis
from trackable.reading.series import Point

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
HOSTILE = "\"'><script>alert(1)</script>&amp;\x00\x1b\ud800"


def days(*values: Any, start: date = date(2025, 6, 2)) -> list[Point]:
    return [Point(start + n * DAY, start + (n + 1) * DAY, each) for n, each in enumerate(values)]


def months(*values: Any, year: int = 2025, first: int = 1) -> list[Point]:
    edges = [date(year + (first - 1 + n) // 12, (first - 1 + n) % 12 + 1, 1) for n in range(200)]
    return [Point(*edge, each) for edge, each in zip(pairwise(edges), values, strict=False)]


def hours(*values: Any) -> list[Point]:
    start = datetime(2025, 6, 2, 22, tzinfo=UTC)
    return [Point(start + n * HOUR, start + (n + 1) * HOUR, each) for n, each in enumerate(values)]


ODD: dict[str, list[Point]] = {
    "none": [],
    "one": days(42),
    "zeros": days(*[0] * 30),
    "negative": days(-3, 5, 0, -8),
    "decimals": days(Decimal("0.10"), Decimal("1E+3"), Decimal(0)),
    "floats": days(0.1, 5e-324, 1e308, -1e308, math.inf, math.nan),
    "huge": days(10**400, -(10**400), 2**63),
    "missing": days(None, 3),
    "hours": hours(*range(72)),
    "many": days(*range(MAX_BARS + 1)),
    "very many": hours(*range(MAX_COLUMNS * 3)),
    "unequal": [*months(31, 28), *days(5, 6, start=date(2025, 3, 1))],
    "empty spans": [Point(date(2025, 1, 1), date(2025, 1, 1), 1)],
}


def drawn(points: list[Point], **options: Any) -> ElementTree.Element:
    return ElementTree.fromstring(bar_chart(points, **{"title": "Views", **options}))


def all_of(chart: ElementTree.Element, tag: str, part: str = "") -> list[ElementTree.Element]:
    """Return elements by tag and class, whether in an HTML page or in an SVG file."""
    found = [each for each in chart.iter() if each.tag.rpartition("}")[2] == tag]
    return [each for each in found if part in each.get("class", "")]


def bars(points: list[Point]) -> list[tuple[float, float, float]]:
    """Return the top, the height and the width (in percent) of each bar."""
    found = all_of(drawn(points), "rect", "trackable-bar")
    return [(_at(e, "y"), _at(e, "height"), _at(e, "width")) for e in found]


def _at(element: ElementTree.Element, name: str) -> float:
    return float(element.get(name, "").rstrip("%"))


def texts(chart: ElementTree.Element, group: str) -> list[str | None]:
    return [each.text for found in all_of(chart, "g", group) for each in found]


def test_whatever_is_drawn_is_well_formed_and_passes_a_strict_policy() -> None:
    for points in ODD.values():
        for options in ({}, {"width": 640}):
            chart = drawn(points, title=HOSTILE, **options)
            assert chart.get("role") == "img"
            assert "script" in chart.get("aria-label", "")
            for element in chart.iter():
                assert_harmless(element.tag.rpartition("}")[2], element.attrib)


def assert_harmless(tag: str, attributes: dict[str, str]) -> None:
    assert tag not in {"script", "style", "a", "image"}
    assert not {"style", "href"} & {*attributes}
    assert not [name for name in attributes if name.startswith("on")]
    lengths = [attributes.get(name, "") for name in ("x", "y", "width", "height", "d", "y1")]
    assert not [each for each in lengths if "n" in each]  # of nan and inf


def test_bars_are_as_high_as_their_amounts() -> None:
    (top, high, _), (_, half, _), (_, low, _) = bars(days(1000, 500, 1))
    assert top == 0
    assert half == pytest.approx(high / 2)
    assert low == 1  # a pixel: it is not nothing


def test_decrements_hang_below_the_zero() -> None:
    (above, up, _), (below, down, _) = bars(days(30, -10))
    assert above == 0
    assert below == pytest.approx(up)
    assert down == pytest.approx(up / 3, abs=0.01)


def test_few_bars_are_not_broad() -> None:
    assert [width for _, _, width in bars(days(1))] == [7.5]


def test_nothing_has_no_bar_but_a_tip() -> None:
    chart = drawn(days(0, 7))
    assert len(all_of(chart, "rect", "trackable-bar")) == 1
    assert [tip.text for tip in all_of(chart, "title")] == [
        "Views",
        "June 2, 2025: 0",
        "June 3, 2025: 7",
    ]


def test_points_that_last_longer_are_wider_and_as_high_as_their_average() -> None:
    points = [*months(3100), *days(100, 50, 100, start=date(2025, 2, 1))]
    month, day, half, _ = bars(points)
    assert month[2] > 25 * day[2]
    assert month[1] == day[1] == pytest.approx(2 * half[1])
    chart = drawn(points)
    assert "January 2025: 3,100 (100 a day)" in [tip.text for tip in all_of(chart, "title")]
    assert [each.text for each in all_of(chart, "desc")] == [
        "By day. What lasts longer is as high as its average."
    ]


def test_months_are_no_averages_though_their_lengths_differ() -> None:
    heights = [high for _, high, _ in bars(months(100, 100, 100))]
    assert len(set(heights)) == 1


def test_a_period_that_is_cut_does_not_change_what_the_others_are() -> None:
    begun = [Point(date(2024, 12, 27), date(2025, 1, 1), 50), *months(100, 100, 100)]
    assert [high for _, high, _ in bars(begun)][1:] == [high for _, high, _ in bars(begun[1:])]


def test_too_many_bars_become_a_line() -> None:
    few, many, more = (drawn(days(*range(n))) for n in (MAX_BARS, MAX_BARS + 1, MAX_COLUMNS + 1))
    assert len(all_of(few, "rect", "trackable-bar")) == MAX_BARS - 1
    assert not all_of(few, "path")
    assert len(all_of(many, "path", "trackable-line")) == 1
    assert len(all_of(many, "title")) == MAX_BARS + 2
    assert len(all_of(more, "title")) == 1


def test_line_of_very_many_points_keeps_their_bounds() -> None:
    chart = drawn(days(*[1000 if n == 555 else 0 for n in range(MAX_COLUMNS * 3)]))
    [bounds] = all_of(chart, "path", "trackable-area")
    assert " 0 " in bounds.get("d", "")
    [description] = all_of(chart, "desc")
    assert "averages" in (description.text or "")


def test_numbers_beside_are_round_and_in_the_format_of_the_language() -> None:
    assert texts(drawn(days(2345)), "numbers") == ["0", "1,000", "2,000"]
    with translation.override("de"):
        assert texts(drawn(days(2345)), "numbers") == ["0", "1.000", "2.000"]
        assert texts(drawn(days(0.03)), "numbers") == ["0", "0,01", "0,02", "0,03"]
    assert texts(drawn(days(3 * 10**18)), "numbers")[-1] == "3\u00d710\u00b9\u2078"


def test_whole_amounts_have_whole_ticks() -> None:
    for highest in range(1, 200):
        scale = Scale.of([highest], height=160, is_whole=True, intervals=4)
        assert all(tick == int(tick) for tick in scale.ticks())
        assert 2 <= len(scale.ticks()) <= 5


def test_times_below_never_overlap() -> None:
    """In any language, however many periods of whatever kind there are."""
    many: dict[str, Callable[..., list[Point]]] = {"days": days, "months": months, "hours": hours}
    for language in ("en", "de", "ja", "es"):
        with translation.override(language):
            for make in many.values():
                for number in (1, 2, 3, 5, 7, 12, 24, 31, 90):
                    assert_apart(make(*range(number)), width=280)


def assert_apart(points: list[Point], *, width: int) -> None:
    end = -float(HANGING) - GAP
    labels = labels_of(TimeAxis(points), width=width)
    for label in labels:
        wide = width_of(label.text)
        start = label.at * width - {"start": 0, "middle": wide / 2, "end": wide}[label.anchor]
        assert start >= end + GAP
        end = start + wide
    assert end <= width + 0.001
    assert labels


def test_times_below_are_round() -> None:
    def below(points: list[Point]) -> list[str | None]:
        return texts(drawn(points), "times")

    assert below(days(*range(30))) == ["Jun 2", "Jun 9", "Jun 16", "Jun 23", "Jun 30"]
    assert below(hours(*range(12))) == [
        *("10 p.m.", "Jun 3", "2 a.m.", "4 a.m.", "6 a.m.", "8 a.m.")
    ]
    assert below(months(*range(24), first=4)) == [
        *("Apr", "Jul", "Oct", "2026", "Apr", "Jul", "Oct", "2027")
    ]
    with translation.override("de"):
        assert below(days(1, 2)) == ["2. Jun", "3. Jun"]


def test_those_who_do_not_see_it_hear_total_span_and_peak() -> None:
    assert drawn(days(1000, 234)).get("aria-label") == (
        "Views: 1,234 in all from June 2, 2025 to June 3, 2025. Peak: June 2, 2025: 1,000."
    )
    assert drawn(days(7, 5), adds_up=False).get("aria-label") == (
        "Views from June 2, 2025 to June 3, 2025. Peak: June 2, 2025: 7."
    )
    assert drawn([]).get("aria-label") == "Views: nothing yet"


def test_total_of_decimals_is_exact() -> None:
    label = drawn(days(Decimal("0.10"), Decimal("0.20"))).get("aria-label", "")
    assert label.startswith("Views: 0.30 in all")


def test_chart_of_a_width_is_one_image() -> None:
    chart = drawn(days(1, 2), width=640, height=120)
    assert chart.tag == "{http://www.w3.org/2000/svg}svg"
    assert chart.get("viewBox") == "0 0 640 120"
    assert drawn(days(1, 2)).tag == "span"


def test_sparkline_is_a_line_of_few_vertices_with_its_label() -> None:
    found = ElementTree.fromstring(sparkline([1, None, 3.5, Decimal(2)] * 100, label=HOSTILE))
    [line] = all_of(found, "path", "trackable-line")
    assert len(line.get("d", "").split()) == 2 * 48
    assert "script" in found.get("aria-label", "")
    assert "trackable-line" not in sparkline([], label="none")
    assert "trackable-line" in sparkline([0], label="one")


def test_width_of_a_text_is_that_in_verdana() -> None:
    assert width_of("views") == pytest.approx((591 + 274 + 595 + 818 + 520) * 11 / 1000)
    assert width_of("\u00e9\u202f") == width_of("e ")
    assert width_of("\u6708") == 11
