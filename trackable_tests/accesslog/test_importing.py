"""Hits go through the pipeline with their own time and agent, and each is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from trackable import conf, spiders
from trackable.accesslog.importing import (
    LINES_AT_ONCE,
    Importer,
    ImportReport,
    JournalCrowded,
    request_of,
)
from trackable.accesslog.patterns import pattern_of
from trackable.accesslog.selection import Selection
from trackable.journal import writer
from trackable.lookups import Finder
from trackable.messaging import process_messages
from trackable_tests.accesslog.logs import line
from trackable_tests.counting import counts
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import PageHours, Target, TargetData

pytestmark = pytest.mark.django_db


def an_importer(pattern: str = "^/.*", **kwargs: Any) -> Importer:
    selection = {name: kwargs.pop(name, None) for name in ("statuses", "methods")}
    selection["keep_query"] = kwargs.pop("keep_query", False)
    return Importer(
        Finder(Target, ["path"]),
        Selection(pattern_of(pattern, "path"), **selection),
        TargetData,
        "views",
        **kwargs,
    )


def run(importer: Importer, *lines: bytes, skip: int = 0) -> ImportReport:
    assert list(importer.run(iter(lines), skip=skip))
    process_messages()
    return importer.report


def days(path: str = "/a") -> dict[date, int]:
    """Return the views of a target by day."""
    # MariaDB would take "/A" for "/a".
    (target,) = (target for target in Target.objects.all() if target.path == path)
    return {day: views for (key, day), views in counts(TargetData).items() if key == target.pk}


@pytest.fixture(autouse=True)
def _targets() -> Iterator[None]:
    Target.objects.bulk_create(Target(path=path) for path in ("/a", "/A", "/a?b=1"))
    yield
    writer.close()


@pytest.fixture
def crawlers(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Take bots, and who does not say, for crawlers."""

    def verdict(request: Any) -> str | None:
        agent = request.META.get("HTTP_USER_AGENT", "bot")
        return "bot" if "bot" in agent else None

    settings.TRACKABLE_USER_AGENT_FILTERING = True
    monkeypatch.setattr(spiders, "verdict_of_request", verdict)


def test_hits_are_counted_on_the_day_on_which_they_happened() -> None:
    first, second = (line(time=f"{day}/May/2015:23:59:59 +0000") for day in (17, 18))
    report = run(an_importer(), first, second, first)
    assert report == ImportReport(lines=3, counted=3)
    assert days() == {date(2015, 5, 17): 2, date(2015, 5, 18): 1}


def test_query_is_left_out_unless_it_is_kept() -> None:
    run(an_importer(), line("/a?b=1"))
    assert days("/a") == {date(2015, 5, 17): 1}
    run(an_importer(keep_query=True), line("/a?b=1"), line("/a?b=1"))
    assert days("/a?b=1") == {date(2015, 5, 17): 2}


def test_targets_that_differ_in_case_are_different() -> None:
    run(an_importer(), line("/a"), line("/A"), line("/A"))
    assert (days("/a"), days("/A")) == ({date(2015, 5, 17): 1}, {date(2015, 5, 17): 2})


def test_each_line_becomes_one_number() -> None:
    lines = [
        line(),
        line("/none"),
        line("/b", status=404),
        line("*", method="OPTIONS"),
        line().replace(b"GET /a HTTP/1.1", b"-"),
        b"rubbish",
        b"",
    ]
    report = run(an_importer(statuses={b"200"}), *lines)
    assert report == ImportReport(
        lines=6, counted=1, missing=1, excluded=1, unmatched=2, unparsable=1
    )


def test_numbers_add_up_to_the_lines() -> None:
    names = {field.name for field in fields(ImportReport)} - {"lines"}
    report = run(an_importer(methods={b"GET"}), line(), line(method="PUT"), b"x", line("/x"))
    assert sum(getattr(report, name) for name in names) == report.lines == 4


def test_first_lines_that_do_not_parse_are_shown_with_their_numbers() -> None:
    shown: list[tuple[int, str]] = []
    importer = an_importer(on_unparsable=lambda number, text: shown.append((number, text)))
    report = run(importer, line(), *[b"\x1b[0m"] * 20, skip=2)
    assert (report.unparsable, shown[0]) == (19, (3, r"'\x1b[0m'"))
    assert len(shown) == 5


def test_missing_objects_are_shown_once_with_the_reason() -> None:
    shown: list[tuple[str, str]] = []
    importer = an_importer(on_missing=lambda *told: shown.append(told))
    run(importer, line("/no"), line("/no"), line("/x" * 1500))
    assert [(text[:6], reason) for text, reason in shown] == [
        ("'/no'", "no such object"),
        ("'/x/x/", "a value that its field does not take"),
    ]


def test_missing_objects_are_made_if_that_is_wanted() -> None:
    report = run(an_importer(creates=True), line("/new"), line("/new"))
    assert (report.counted, days("/new")) == (2, {date(2015, 5, 17): 2})


def test_lookups_are_remembered(django_assert_num_queries: Any) -> None:
    importer = an_importer()
    list(importer.run([line(), line("/no")]))
    with django_assert_num_queries(0):
        list(importer.run([line(), line("/no"), line("/a?x=1"), line("/no?x=1")]))
    assert (importer.report.counted, importer.report.missing) == (3, 3)


def test_crawlers_are_filtered_where_the_settings_say_so(crawlers: None) -> None:
    report = run(an_importer(), line(), line(agent="a bot"), line(agent="-"), line(agent=""))
    assert (report.counted, report.filtered) == (1, 3)


def test_format_without_agents_is_not_that_of_crawlers(crawlers: None) -> None:
    assert run(an_importer(), line(agent=None)).counted == 1


def test_agent_is_what_the_client_sent() -> None:
    request = request_of(rb"a \"b\" \xe9")
    assert request is not None
    assert request.META["HTTP_USER_AGENT"] == 'a "b" \xe9'
    assert request_of(None) is None


@for_each(
    "zone, zone_of_log, day",
    [("UTC", False, 17), ("Asia/Kolkata", False, 18), ("UTC", True, 18), ("Asia/Tokyo", True, 18)],
)
def test_days_are_those_of_the_time_zone(zone: str, zone_of_log: bool, day: int) -> None:
    with timezone.override(ZoneInfo(zone)):
        run(an_importer(zone_of_log=zone_of_log), line(time="18/May/2015:00:30:00 +0530"))
        assert timezone.get_current_timezone() == ZoneInfo(zone)
    assert days() == {date(2015, 5, day): 1}


def test_each_line_of_the_log_has_its_own_zone() -> None:
    times = ["18/May/2015:00:30:00 +0530", "17/May/2015:23:30:00 -0700", "17/May/2015:0"]
    lines = [line(time=time) for time in times]
    run(an_importer(zone_of_log=True), *lines, line(time="16/May/2015:23:30:00 +0530"))
    assert days() == {date(2015, 5, 18): 1, date(2015, 5, 17): 1, date(2015, 5, 16): 1}


def test_it_tells_how_far_it_is_and_goes_on_behind_that() -> None:
    lines = [line()] * (2 * LINES_AT_ONCE + 1)
    first, second = an_importer(), an_importer()
    done = next(iter(first.run(lines)))
    assert list(second.run(lines, skip=done)) == [done, 2 * done, len(lines)]
    assert first.report.counted + second.report.counted == len(lines)


def test_it_leaves_room_in_the_journal_to_the_site(settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 500_000
    importer = an_importer()
    with pytest.raises(JournalCrowded, match="TRACKABLE_JOURNAL_MAX_BYTES"):
        list(importer.run(line() for _ in range(10_000)))
    assert 0 < importer.report.counted < 5_000
    assert importer.report.dropped == 0
    assert process_messages() == importer.report.counted


def test_what_the_journal_does_not_take_is_told(settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 150
    report = run(an_importer(), line(), line(), line())
    assert (report.counted, report.dropped) == (1, 2)


def test_other_data_classes_than_the_first_can_be_chosen() -> None:
    importer = an_importer()
    importer.data_cls = PageHours
    report = run(importer, line())
    assert (report.counted, report.dropped) == (0, 1)
    assert conf.journal_dir().exists() is False
