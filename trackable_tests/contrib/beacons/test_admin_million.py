"""The admin's lists of beacons stay as quick with a million rows: by indexes, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from trackable.admin import paging
from trackable.contrib.beacons.models import IP, Beacon, IPEntity
from trackable_tests.contrib.beacons.admin_pages import (
    ADDRESSES,
    ENTITIES,
    LIST,
    change_list,
    rows,
)
from trackable_tests.contrib.beacons.visits import AT
from trackable_tests.contrib.campaigns.models import Article, Campaign

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("trackable_tests.contrib.beacons.admin_pages"),
]

#: of rows where plans are looked at
NUMBER = 1000
#: what a page sorts, having found it by an index: its own rows
A_PAGE = 100


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """List no more than so many."""
    monkeypatch.setattr(paging, "MAX_LISTED", 250)
    return 250


def beacons(number: int, target: Model | None = None, **fields: Any) -> None:
    if target is not None:
        content_type = ContentType.objects.get_for_model(target)
        fields |= {"target_type": content_type, "target_id": str(target.pk)}
    times = (AT + timedelta(seconds=n) for n in range(number))
    Beacon.objects.bulk_create([Beacon(time_created=at, **fields) for at in times])


# pages


@pytest.mark.usefixtures("few")
def test_list_ends_where_databases_would_have_to_read_much(client: Client) -> None:
    beacons(251)
    newest = list(Beacon.objects.order_by("-time_created")[:250])
    found = [row for page in (1, 2, 3) for row in rows(client, p=page)]
    assert found == newest
    assert client.get(LIST, {"p": 4}).status_code == 302
    text = client.get(LIST).content.decode()
    assert "There are more than these 250: filter to see others." in text
    assert "250 results" not in text


@pytest.mark.usefixtures("few")
def test_list_that_is_whole_says_how_many_there_are(client: Client) -> None:
    beacons(250)
    text = client.get(LIST).content.decode()
    assert "250 beacons" in text
    assert "There are more" not in text


@pytest.mark.usefixtures("few")
def test_nothing_is_counted_further_than_it_is_listed(client: Client) -> None:
    beacons(300)
    with CaptureQueriesContext(connection) as queries:
        change_list(client)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 251" in counts[0]


def test_what_is_older_is_found_by_its_day(client: Client, few: int) -> None:
    beacons(few + 10)
    beacons(1, Campaign.objects.create(name="a"))
    Beacon.objects.filter(target_type=None).update(time_created=AT + timedelta(days=9))
    assert rows(client, p=1, to=AT.date()) == [Beacon.objects.get(target_id__gt="")]


@pytest.mark.parametrize(("order", "ordering"), [("1", "time_created"), ("-1", "-time_created")])
def test_lists_are_sorted_as_an_index_is(client: Client, order: str, ordering: str) -> None:
    beacons(3)
    Beacon.objects.update(time_created=AT)
    found = rows(client, o=order)
    pk = "-pk" if ordering.startswith("-") else "pk"
    assert found == list(Beacon.objects.order_by(pk))


def test_columns_without_an_index_do_not_sort(client: Client) -> None:
    beacons(3)
    default = rows(client)
    text = client.get(LIST).content.decode()
    assert "?o=2" not in text
    for order in ("2", "-3", "4.1", "99", "x", ""):
        assert rows(client, o=order) in (default, default[::-1])


def test_counts_of_what_filters_find_are_not_offered(client: Client) -> None:
    beacons(1)
    assert "_facets" not in client.get(LIST).content.decode()
    assert not change_list(client, _facets="1").add_facets


# plans


FILTERS = {
    "target": {"target": "campaigns.article", "target_id": "7"},
    "source": {"source": "campaigns.campaign", "source_id": "7"},
    "entity": {"entity": "trackable_beacons.ipentity", "entity_id": "7"},
    "days": {"from": "2026-11-20", "to": "2026-11-21"},
    "oldest": {"o": "1"},
}


@pytest.fixture
def many() -> None:
    """Some beacons and visitors, and a PostgreSQL that reads through or sorts a table only if
    nothing else is left to it, as with a million."""
    types = [ContentType.objects.get_for_model(model).pk for model in (Article, Campaign, IPEntity)]
    insert = "INSERT INTO trackable_beacons_"
    times = f"%s - i * interval '1 minute' FROM generate_series(1, {NUMBER}) i"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{insert}ip (address, owned_time) SELECT '10.0.0.0'::inet + i, {times}", [AT]
        )
        cursor.execute(f"{insert}ipentity (seen_at) SELECT {times}", [AT])
        cursor.execute(
            f"{insert}ipentity_ip_addresses (ipentity_id, ip_id) SELECT e.id, p.id"
            " FROM trackable_beacons_ipentity e JOIN trackable_beacons_ip p"
            " ON e.seen_at = p.owned_time"
        )
        cursor.execute(
            f"{insert}beacon (target_type_id, target_id, source_type_id, source_id,"
            " entity_type_id, entity_id, time_created)"
            f" SELECT %s, i %% 50, %s, i %% 9, %s, i, {times}",
            [*types, AT],
        )
        for model in (Beacon, IP, IPEntity, IPEntity.ip_addresses.through):
            cursor.execute(f"ANALYZE {model._meta.db_table}")
        for way in ("seqscan", "bitmapscan", "sort", "incremental_sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")


def plans(queries: CaptureQueriesContext) -> list[dict[str, Any]]:
    """Return the nodes of the plans of what was asked of the app's tables."""
    found = []
    for query in queries.captured_queries:
        if "trackable_beacons_" not in query["sql"]:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
            plan = cursor.fetchone()[0]
        plan = json.loads(plan) if isinstance(plan, str) else plan
        found += list(nodes(plan[0]["Plan"]))
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@pytest.mark.vendor("postgresql")
@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize(
    "names", [(), *((name,) for name in FILTERS), ("target", "days")], ids="-".join
)
def test_lists_are_read_from_indexes(client: Client, names: tuple[str, ...], page: int) -> None:
    params = {key: value for name in names for key, value in FILTERS[name].items()}
    with CaptureQueriesContext(connection) as queries:
        assert client.get(LIST, {**params, "p": page}).status_code in (200, 302)
    assert_quick(plans(queries))


@pytest.mark.vendor("postgresql")
@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("params", [{}, {"o": "2"}, {"o": "-2"}, {"p": "2"}, FILTERS["days"]])
@pytest.mark.parametrize("url", [ENTITIES, ADDRESSES])
def test_lists_of_visitors_are_read_from_indexes(
    client: Client, url: str, params: dict[str, str]
) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert len(rows(client, url, **params)) == A_PAGE
    assert_quick(plans(queries))


def assert_quick(found: list[dict[str, Any]]) -> None:
    assert any("Index" in node["Node Type"] for node in found)
    assert [node for node in found if node["Node Type"] == "Seq Scan"] == []
    sorted_rows = [node["Plan Rows"] for node in found if "Sort" in node["Node Type"]]
    assert max(sorted_rows, default=0) <= A_PAGE
