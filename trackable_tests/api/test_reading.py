"""What is answered: the same numbers as from Python, with a bounded number of queries."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from trackable.api import subjects
from trackable.messaging import process_messages, send_unique_message
from trackable_tests.api.conftest import TODAY, Get, count, pages
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageHours,
    PageParentData,
    PageTotals,
)

SERIES = "testapp.PageData/views/series/"
TOTAL = "testapp.PageData/views/total/"
TOP = "testapp.PageData/views/top/"


def table(response: Any) -> list[list[str]]:
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.content.decode())))


def test_a_series_has_a_point_for_each_step_of_the_time(get: Get) -> None:
    [page, _] = pages(4, 10)
    found = get(SERIES, object=page.pk, start="2026-11-19", end="2026-11-21").json()
    assert found["points"] == [
        {"start": "2026-11-19", "end": "2026-11-20", "value": 0},
        {"start": "2026-11-20", "end": "2026-11-21", "value": 2},
        {"start": "2026-11-21", "end": "2026-11-22", "value": 4},
    ]
    assert found["object"] == {"model": "testapp.Page", "id": str(page.pk), "text": "page 1"}
    assert (found["by"], found["zone"], found["is_estimate"]) == ("day", "UTC", False)
    rows = table(get(SERIES, object=page.pk, start="2026-11-20", end="2026-11-20", format="csv"))
    assert rows == [["start", "end", "value"], ["2026-11-20", "2026-11-21", "2"]]


def test_a_series_of_all_objects_by_a_coarser_step(get: Get) -> None:
    pages(4, 10)
    found = get(SERIES, by="month", start="2026-10-01", end="2026-11-30").json()
    assert [each["value"] for each in found["points"]] == [0, 21]
    assert (found["object"], found["model"]) == (None, None)


def test_without_a_time_a_series_is_of_the_last_days(get: Get) -> None:
    found = get(SERIES).json()
    assert (len(found["points"]), found["end"]) == (30, timezone.now().date().isoformat())
    assert get(SERIES, days=7).json()["points"] == found["points"][-7:]
    since = timezone.now().date() - timedelta(days=2)
    assert get(SERIES, start=since).json()["points"] == found["points"][-3:]


def test_hours_have_offsets_from_utc(get: Get, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"
    [page] = pages(1)
    count(PageHours, page, datetime(2026, 11, 21, 6, 15, tzinfo=UTC), views=5)
    sent = {"start": "2026-11-21T06:00:00Z", "end": "2026-11-21 07:00:00+00:00"}
    path = "testapp.PageHours/views/series/"
    assert get(path, **sent).status_code == 400
    sent["end"] = "2026-11-21T07:00:00 00:00"  # a plus that nobody has quoted
    found = get(path, **sent).json()
    [point] = [each for each in found["points"] if each["value"]]
    assert point["start"] == "2026-11-21T12:00:00+05:45"
    assert found["start"] == "2026-11-21T11:45:00+05:45"


def test_totals_are_of_objects_of_any_kind_of_key(get: Get) -> None:
    download = Download.objects.create(title="manual")
    link = Link.objects.create(code="=a,'\"", url="https://example.org")
    for data_cls, obj in ((DownloadData, download), (LinkData, link)):
        count(data_cls, obj, TODAY, views=3)
        path = f"{data_cls._meta.label}/views/total/"
        found = get(path, object=str(obj.pk)).json()
        assert [each["value"] for each in found["results"]] == [3]
        assert found["results"][0]["object"]["id"] == str(obj.pk)
    rows = table(get("testapp.LinkData/views/total/", object=link.pk, format="csv"))
    assert rows[1] == ["testapp.Link", "'=a,'\"", "'=a,'\"", "3"]


def test_totals_of_several_objects_take_one_query(
    get: Get, django_assert_max_num_queries: Any
) -> None:
    listed = pages(*range(2, 40))
    PageParentData.objects.create(parent=listed[3], collected_during=TODAY, views=9)
    keys = [listed[3].pk, 10**9, listed[0].pk, listed[3].pk, "no key"]
    get(TOTAL)
    with django_assert_max_num_queries(4):
        found = get(TOTAL, object=keys, start="2026-01-01").json()
    assert [each["value"] for each in found["results"]] == [5 + 2, 2 + 1]
    assert found["missing"] == [str(10**9), "no key"]
    found = get("testapp.PageParentData/views/total/", object=keys).json()
    assert [each["value"] for each in found["results"]] == [9, 0]
    assert get(TOTAL).json()["results"] == [{"object": None, "value": 1159}]


def test_a_total_has_a_time_too(get: Get) -> None:
    [page] = pages(4)
    sent = {"start": "2026-11-20", "end": "2026-11-20"}
    assert get(TOTAL, object=page.pk, **sent).json()["results"][0]["value"] == 2
    assert get(TOTAL, **sent).json()["results"][0]["value"] == 2
    assert get(TOTAL, end="2026-11-19").json()["results"][0]["value"] == 0


def test_decimals_are_text_and_floats_are_numbers(get: Get) -> None:
    [page] = pages(0)
    count(PageData, page, date(2026, 1, 1), revenue=Decimal("-1234567.10"), seconds=0.25)
    for field, value in (("revenue", "-1234567.10"), ("seconds", 0.25), ("views", 0)):
        path = f"testapp.PageData/{field}"
        assert get(f"{path}/total/", object=page.pk).json()["results"][0]["value"] == value
        assert table(get(f"{path}/total/", format="csv"))[1][-1] == str(value)
        points = get(f"{path}/series/", start="2026-01-01", end="2026-01-01").json()["points"]
        assert [each["value"] for each in points] == [value]


def test_the_top_has_pages(get: Get) -> None:
    listed = pages(10, 30, 20)
    first = get(TOP, limit=2, start="2026-11-21", end="2026-11-21")
    found = first.json()
    assert [(each["rank"], each["value"]) for each in found["results"]] == [(1, 30), (2, 20)]
    assert found["results"][0]["object"]["id"] == str(listed[1].pk)
    assert first["Link"] == f'<{found["next"]}>; rel="next"'
    second = get(found["next"].removeprefix("/counts/")).json()
    assert [(each["rank"], each["value"]) for each in second["results"]] == [(3, 10)]
    assert second["next"] is None
    assert get(second["previous"].removeprefix("/counts/")).json() == found
    rows = table(get(TOP, limit=1, format="csv"))
    assert rows[0] == ["rank", "model", "id", "text", "value"]
    assert rows[1][-2:] == ["page 2", "45"]


def test_after_the_last_place_there_is_nothing(get: Get) -> None:
    pages(1)
    found = get(TOP, limit=1000, page=1000).json()
    assert (found["results"], found["next"]) == ([], None)
    assert found["previous"].endswith("limit=1000&page=999")


def test_distinct_counts_of_all_objects_are_not_united(get: Get) -> None:
    path = "testapp.PageVisitors/visitors"
    assert get(f"{path}/total/").json()["parameter"] == "object"
    assert get(f"{path}/series/").json()["parameter"] == "object"
    assert get(f"{path}/top/").status_code == 422


@pytest.mark.django_db(transaction=True)
def test_distinct_counts_of_objects_are_united(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    first, second = pages(1, 1)
    for page, key in ((first, "a"), (first, "b"), (first, "a"), (second, "a")):
        send_unique_message(None, page, "visitors", key)
    process_messages()
    path = "/counts/testapp.PageVisitors/visitors"
    found = client.get(f"{path}/total/", {"object": [first.pk, second.pk]}).json()
    assert ([each["value"] for each in found["results"]], found["is_estimate"]) == ([2, 1], True)
    found = client.get(f"{path}/series/", {"object": first.pk, "days": 2}).json()
    assert 2 in [each["value"] for each in found["points"]]


def test_a_data_class_of_several_models_asks_for_the_model(
    get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    [page] = pages(4)
    monkeypatch.setattr(subjects, "models_of", lambda _: [Page, Download])
    assert get(TOTAL, object=page.pk).json()["parameter"] == "model"
    assert get(TOTAL, object=page.pk, model="testapp.Page").json()["results"][0]["value"] == 6
    assert get(TOTAL, model="testapp.Download").json()["results"][0]["value"] == 0
    assert get(TOP, model="testapp.Page").json()["model"] == "testapp.Page"


def test_the_index_has_what_can_be_asked(get: Get) -> None:
    found = {each["data_class"]: each for each in get().json()["results"]}
    page_data, totals = found["testapp.PageData"], found["testapp.PageTotals"]
    assert (page_data["period"], page_data["models"]) == ("day", ["testapp.Page"])
    kinds = {each["name"]: each["kind"] for each in page_data["fields"]}
    assert kinds["views"] == kinds["score"] == "integer"
    assert (kinds["revenue"], kinds["seconds"]) == ("decimal", "float")
    [views] = totals["fields"]
    assert (views["series"], totals["period"]) == (None, None)
    assert views["total"] == "/counts/testapp.PageTotals/views/total/"
    visitors, _ = sorted(
        found["testapp.PageVisitors"]["fields"], key=lambda each: each["kind"], reverse=True
    )
    assert (visitors["kind"], visitors["top"]) == ("unique", None)
    assert ["testapp.PageData", "day", "testapp.Page", "views", "integer"] in table(
        get(format="csv")
    )


def test_the_index_has_pages(get: Get) -> None:
    labels = [each["data_class"] for each in get().json()["results"]]
    first = get(limit=3).json()
    assert [each["data_class"] for each in first["results"]] == labels[:3]
    second = get(limit=3, page=2).json()
    assert [each["data_class"] for each in second["results"]] == labels[3:6]
    assert (first["next"], second["previous"]) == (
        "/counts/?limit=3&page=2",
        "/counts/?limit=3&page=1",
    )


def test_no_operation_takes_more_than_a_few_queries(
    get: Get, django_assert_max_num_queries: Any
) -> None:
    [page, *_] = pages(*range(60))
    PageTotals.objects.all()
    for path in (SERIES, TOTAL, TOP):
        get(path)  # what Django remembers of content types
        for object_id in ([] if path == TOP else [page.pk]), []:
            sent = {"object": object_id} if object_id else {}
            with django_assert_max_num_queries(4):  # the session, the user, objects and rows
                assert get(path, **sent).status_code == 200
    with django_assert_max_num_queries(2):
        assert get().status_code == 200
