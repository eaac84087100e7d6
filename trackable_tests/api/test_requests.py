"""Requests: what is refused, and how; what browsers may keep; and nothing that raises."""

from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.api.parameters import PAGE, START, read
from trackable.api.problems import Problem
from trackable_tests.api.conftest import Get, pages
from trackable_tests.testapp.models import Page

SERIES = "testapp.PageData/views/series/"
TOTAL = "testapp.PageData/views/total/"

#: path, query, status, parameter that is named
REFUSED: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("no.Such/views/total/", {}, 404, "data_class"),
    ("testapp.Visit/views/total/", {}, 404, "data_class"),
    ("testapp.PageData/no_such/total/", {}, 404, "field"),
    (TOTAL, {"model": "testapp.Link"}, 404, "model"),
    (SERIES, {"object": "99"}, 404, "object"),
    (SERIES, {"object": ["1", "2"]}, 400, "object"),
    (SERIES, {"object": ""}, 400, "object"),
    (TOTAL, {"object": "\0"}, 400, "object"),
    (TOTAL, {"object": "x" * 256}, 400, "object"),
    (TOTAL, {"object": list(range(51))}, 400, "object"),
    (SERIES, {"by": "minute"}, 400, "by"),
    (SERIES, {"days": "0"}, 400, "days"),
    (SERIES, {"days": "3661"}, 400, "days"),
    (SERIES, {"days": "9" * 5000}, 400, "days"),
    (SERIES, {"days": "٣"}, 400, "days"),
    (SERIES, {"days": "1.0"}, 400, "days"),
    (SERIES, {"start": "2026-02-30"}, 400, "start"),
    (SERIES, {"start": "1899-12-31"}, 400, "start"),
    (SERIES, {"end": "3000-01-01"}, 400, "end"),
    (SERIES, {"end": "9999-12-31T23:59:59-23:59"}, 400, "end"),
    (SERIES, {"start": "2026-01-01T00:00:00"}, 400, "start"),
    (SERIES, {"start": "2026-W01-1"}, 400, "start"),
    (SERIES, {"format": "xml"}, 400, "format"),
    (SERIES, {"limit": "1"}, 400, "limit"),
    (SERIES, {"ende": "2026-01-01"}, 400, "ende"),
    ("", {"limit": "1001"}, 400, "limit"),
    ("", {"page": "0"}, 400, "page"),
    (SERIES, {"days": "1", "end": "2026-01-01"}, 422, "days"),
    (SERIES, {"end": "2026-01-01"}, 422, "start"),
    (SERIES, {"start": "2999-01-01"}, 422, "start"),
    (SERIES, {"start": "2026-01-02", "end": "2026-01-01"}, 422, "end"),
    (SERIES, {"start": "2026-01-02", "end": "2026-01-03T00:00:00Z"}, 422, "end"),
    (SERIES, {"start": "1900-01-01", "end": "2999-12-31"}, 422, "by"),
    (SERIES, {"by": "hour"}, 422, None),
    ("testapp.PageTotals/views/series/", {}, 422, None),
    ("testapp.PageTotals/views/total/", {"days": "1"}, 422, None),
]


def test_what_is_refused_names_the_parameter_and_the_cure(get: Get) -> None:
    for path, query, status, parameter in REFUSED:
        response = get(path, **query)
        assert response.status_code == status, (path, query, response.content)
        assert response["Content-Type"] == "application/problem+json"
        problem = response.json()
        assert problem["status"] == status
        assert problem.get("parameter") == parameter, problem
        assert problem["detail"].endswith((".", "?"))


def test_a_name_that_is_nearly_right_is_told(get: Get) -> None:
    assert get(SERIES, strat="x").json()["detail"].endswith("Did you mean start?")
    assert (
        get(SERIES, x="x")
        .json()["detail"]
        .endswith("There are model, object, by, start, end, days, format.")
    )


def test_more_parameters_than_django_reads_are_a_problem_too(get: Get, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 5
    assert get(TOTAL, object=list(range(9))).status_code == 400


def test_only_reading_is_allowed(get: Get, client: Client) -> None:
    paths = [reverse(f"trackable_api:{name}") for name in ("index", "openapi")]
    for path in [*paths, f"/counts/{TOTAL}"]:
        strict = Client(enforce_csrf_checks=True)
        for method in ("post", "put", "patch", "delete", "trace"):
            response = getattr(strict, method)(path)
            assert response.status_code == 405
            assert response["Allow"] == "GET, HEAD, OPTIONS"
            assert response.json()["status"] == 405
        response = strict.options(path)
        assert (response.status_code, response.content) == (204, b"")
        assert response["Allow"] == "GET, HEAD, OPTIONS"
        head, body = client.head(path), client.get(path)
        assert (head.status_code, head.content, head["ETag"]) == (200, b"", body["ETag"])


def test_accept_decides_where_the_format_does_not(get: Get) -> None:
    for accept, form, kind in (
        ("text/csv", None, "text/csv; charset=utf-8"),
        ("text/csv;q=0.5, application/json", None, "application/json"),
        ("text/csv", "json", "application/json"),
        ("application/json", "csv", "text/csv; charset=utf-8"),
        ("text/html", None, "application/json"),
        ("no sense; q=x,,", None, "application/json"),
    ):
        query = {} if form is None else {"format": form}
        assert get(TOTAL, headers={"Accept": accept}, **query)["Content-Type"] == kind


def test_an_answer_that_the_caller_has_is_not_sent_again(get: Get) -> None:
    [page] = pages(4)
    first = get(TOTAL, object=page.pk)
    etag = first["ETag"]
    again = get(TOTAL, headers={"If-None-Match": f'"x", {etag}'}, object=page.pk)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    for response in (first, again):
        assert response["Cache-Control"] == "private, no-cache"
        assert {"Accept", "Cookie"} <= {*response["Vary"].split(", ")}
    Page.objects.update(title="another")
    assert get(TOTAL, headers={"If-None-Match": etag}, object=page.pk).status_code == 200
    refused = get(TOTAL, headers={"If-Match": '"x"'}, object=page.pk)
    assert (refused.status_code, refused.json()["status"]) == (412, 412)
    assert get(TOTAL, headers={"If-Match": "*"}, object=page.pk).status_code == 200


def test_a_page_of_a_plain_dictionary_is_read() -> None:
    from django.http import QueryDict

    assert read([PAGE, START], QueryDict("page=2")) == {"page": 2, "start": None}
    with pytest.raises(Problem, match="page must be there at most once"):
        read([PAGE], QueryDict("page=2&page=2"))


NAMES = ["model", "object", "by", "start", "end", "days", "limit", "page", "format"]
TEXTS = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.uuids().map(str),
    st.dates().map(str),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.floats().map(str),
    st.sampled_from(
        [
            *("\0", "1\0", "9" * 30, "9" * 5000, "-1", "0", "None", "testapp.Page", "hour", "csv"),
            *("'; DROP TABLE x; --", "%00", "2999-12-31", "1900-01-01", "\ud800", "5_0", "NaN"),
        ]
    ),
)
FIELDS = ["PageData/views", "PageData/revenue", "PageHours/views", "LinkData/views"]
FIELDS += [
    "DownloadData/views",
    "PageTotals/views",
    "PageParentData/views",
    "PageVisitors/visitors",
]


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    pages(1)
    return client


@pytest.mark.slow
@examples(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    field=st.sampled_from(FIELDS) | st.text(min_size=1, max_size=20).map(lambda t: f"PageData/{t}"),
    operation=st.sampled_from(["series", "total", "top"]),
    query=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), TEXTS, max_size=3),
    headers=st.dictionaries(
        st.sampled_from(["Accept", "If-None-Match", "If-Match"]),
        st.text(st.characters(codec="latin-1"), max_size=50),
    ),
)
@example("PageHours/views", "series", {"start": "2999-12-31", "end": "2999-12-31"}, {})
@example("PageHours/views", "series", {"start": "1900-01-01", "by": "year"}, {})
@example("PageData/views", "series", {"days": "3660", "by": "week"}, {})
def test_nothing_that_is_sent_raises(
    reader: Client, field: str, operation: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    encoded = {key: value.encode("utf-8", "surrogatepass") for key, value in query.items()}
    path = f"/counts/testapp.{quote(field, safe='/', errors='surrogatepass')}/{operation}/"
    response = reader.get(path, encoded, headers=headers)
    assert response.status_code in {200, 304, 400, 404, 412, 422}
    if response.status_code in {400, 412, 422}:
        assert response["Content-Type"] == "application/problem+json"
