"""Draws the charts of these pages, as trackable draws those of a site."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings
from django.utils.safestring import SafeString
from sphinx.application import Sphinx

from trackable.charts import bar_chart, sparkline
from trackable.charts.badges import badge
from trackable.reading.series import Point

FOLDER = Path(__file__).parent / "_build" / "pictures"
STATIC = Path(__file__).parent.parent / "trackable" / "static" / "trackable"
DAY = timedelta(days=1)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", draw)
    app.config.html_static_path.append(str(STATIC / "charts.css"))
    app.add_css_file("charts.css")


def draw(app: Sphinx) -> None:
    if not settings.configured:
        settings.configure(USE_I18N=False)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures().items():
        (FOLDER / f"{name}.html").write_text(picture)


def pictures() -> dict[str, SafeString]:
    spring = views(date(2026, 5, 4), 30)
    months = [month(5), month(6), month(7)]
    days = views(date(2026, 8, 1), 40)
    return {
        "tutorial": bar_chart(tides(), title="Views"),
        "days": bar_chart(spring, title="Views"),
        "unequal": bar_chart([*months, *days], title="Views"),
        "sparkline": sparkline([point.value for point in spring], label="Views a day"),
        "badge": badge("views", "1,234", color="#1f6f8b", label_color="#4b545c"),
    }


def tides() -> list[Point]:
    """Return what the tutorial has emitted, up to the day on which its reader has got there."""
    today = date(2026, 11, 21)
    days = [today - n * DAY for n in range(29, 0, -1)]
    past = [Point(day, day + DAY, 40 + 17 * (today - day).days % 23) for day in days]
    return [*past, Point(today, today + DAY, 3)]


def month(number: int) -> Point:
    start, end = date(2026, number, 1), date(2026, number + 1, 1)
    return Point(start, end, sum(point.value for point in views(start, (end - start).days)))


def views(start: date, days: int) -> list[Point]:
    """Return the views of a page that is read on working days, and had a good week."""
    begins = [start + n * DAY for n in range(days)]
    return [Point(begin, begin + DAY, _views(begin)) for begin in begins]


def _views(day: date) -> int:
    n = (day - date(2026, 5, 4)).days
    usual = 900 + 3 * n + 90 * math.sin(n * 2.3)
    peak = 700 * math.exp(-(((n - 18) / 2.5) ** 2))
    return round((usual + peak) * (0.55 if day.weekday() > 4 else 1))
