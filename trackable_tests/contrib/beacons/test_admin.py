"""The admin's pages of beacons: what they show, to whom, and what they find."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from trackable.contrib.beacons.admin import relations
from trackable.contrib.beacons.models import Beacon, IPEntity
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.contrib.beacons.admin_pages import (
    ENTITIES,
    LIST,
    change_list,
    filter_of,
    rows,
    site,
)
from trackable_tests.contrib.beacons.visits import AT, ip_entity, visit, write
from trackable_tests.contrib.campaigns.models import Article, Campaign, ExternalLink
from trackable_tests.tables import for_each

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("trackable_tests.contrib.beacons.admin_pages"),
]

READ = ("view_beacon", "view_campaign")


@pytest.fixture
def client(admin_client: Client) -> Iterator[Client]:
    """A browser of a process that has seen no content types of other tests, and leaves none."""
    ContentType.objects.clear_cache()
    yield admin_client
    ContentType.objects.clear_cache()


def page_of(beacon: Beacon) -> str:
    return f"{LIST}{beacon.pk}/change/"


# the rows


def test_row_shows_where_from_and_where_to(
    client: Client, article: Article, campaign: Campaign
) -> None:
    (beacon,) = write(visit(article, source=campaign, entity=ip_entity()))
    for text in (text_at(client, LIST), text_at(client, page_of(beacon))):
        assert "Nov. 21, 2026, 9:30 a.m." in text
        assert f"Article object ({article.pk})" in text
        assert f'<a href="/admin/campaigns/campaign/{campaign.pk}/change/">spring</a>' in text
        entity = f"{ENTITIES}{beacon.entity_id}/change/"
        assert f'<a href="{entity}">IP entity {beacon.entity_id}</a>' in text
    assert f'<a href="{page_of(beacon)}">Nov. 21' in text_at(client, LIST)


def test_each_object_leads_to_its_beacons(client: Client, campaign: Campaign) -> None:
    write(visit(source=campaign), visit())
    link = f"{LIST}?source=campaigns.campaign&amp;source_id={campaign.pk}"
    assert f'href="{link}"' in text_at(client, LIST)
    assert len(rows(client, link.replace("&amp;", "&"))) == 1


def test_what_is_missing_is_a_dash(client: Client) -> None:
    write(visit())
    for name in ("target", "source", "entity"):
        assert f'<td class="field-shown_{name}">-</td>' in text_at(client, LIST)


def test_object_that_is_gone_is_told_by_model_and_key(client: Client, campaign: Campaign) -> None:
    (beacon,) = write(visit(campaign))
    key = campaign.pk
    campaign.delete()
    for text in (text_at(client, LIST), text_at(client, page_of(beacon))):
        assert f"campaigns.campaign #{key} " in text
        assert f"/admin/campaigns/campaign/{key}/" not in text


def test_object_of_a_model_that_is_gone_is_told_too(client: Client) -> None:
    stale = ContentType.objects.create(app_label="shop", model="product")
    Beacon.objects.create(target_type=stale, target_id="17", source_id="5")
    text = text_at(client, LIST)
    assert "shop.product #17 " in text
    assert '<td class="field-shown_source">? #5</td>' in text
    assert len(rows(client, target="shop.product", target_id="17")) == 1


def test_keys_that_the_model_cannot_have_are_shown(client: Client) -> None:
    for key in ("no number", "9" * 64, ""):
        content_type = ContentType.objects.get_for_model(Campaign)
        Beacon.objects.create(target_type=content_type, target_id=key)
    text = text_at(client, LIST)
    assert "campaigns.campaign #no number" in text
    assert f"campaigns.campaign #{'9' * 64}" in text


def test_model_without_a_table_does_not_stop_the_page(
    client: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(rows: Any, keys: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM there_is_none")

    (beacon,) = write(visit(campaign))
    monkeypatch.setattr(QuerySet, "in_bulk", fail)
    assert f"campaigns.campaign #{campaign.pk}" in text_at(client, LIST)
    assert "campaigns.campaign #" in text_at(client, page_of(beacon))


def test_object_that_has_no_text_does_not_stop_the_page(
    client: Client,
    campaign: Campaign,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(self: Any) -> str:
        raise RuntimeError("evil\nname")

    monkeypatch.setattr(Campaign, "__str__", fail)
    write(visit(campaign))
    with caplog.at_level(logging.WARNING):
        assert f">campaigns.campaign #{campaign.pk}</a>" in text_at(client, LIST)
    assert "A campaigns.campaign has no text: 'RuntimeError'" in caplog.text
    monkeypatch.setattr(Campaign, "__str__", lambda self: " ")
    assert f">campaigns.campaign #{campaign.pk}</a>" in text_at(client, LIST)


def test_texts_are_escaped_and_cut(client: Client) -> None:
    evil = Campaign.objects.create(name="<script>" + "a" * 90)
    (beacon,) = write(visit(evil, source=evil))
    for text in (text_at(client, LIST), text_at(client, page_of(beacon))):
        assert "<script>a" not in text
        assert f"&lt;script&gt;{'a' * 71}…" in text


def test_keys_are_escaped(client: Client) -> None:
    stale = ContentType.objects.create(app_label="<b>", model="<i>")
    Beacon.objects.create(target_type=stale, target_id='"><script>')
    text = text_at(client, LIST)
    assert "<script>&quot;" not in text
    assert "&lt;b&gt;.&lt;i&gt; #&quot;&gt;&lt;script&gt;" in text
    assert "target=%3Cb%3E.%3Ci%3E&amp;target_id=%22%3E%3Cscript%3E" in text


def test_number_of_queries_does_not_grow_with_the_rows(client: Client, article: Article) -> None:
    numbers = []
    for size in (1, 1, 90):  # Django remembers the content types once it has asked
        sources = [Campaign.objects.create(name=str(number)) for number in range(size)]
        write(*(visit(article, source=each, entity=ip_entity()) for each in sources))
        with CaptureQueriesContext(connection) as queries:
            rows(client)
        numbers.append(len(queries))
    assert numbers[1] == numbers[2] <= 19


def test_objects_of_each_model_take_one_query(client: Client, article: Article) -> None:
    link, source = ExternalLink.objects.create(url="/"), Campaign.objects.create(name="b")
    write(visit(article, source=source), visit(link, source=source), visit(source))
    found = list(Beacon.objects.all())
    with CaptureQueriesContext(connection) as queries:
        relations.find(found)
    for table in ("campaigns_article", "campaigns_externallink", "campaigns_campaign"):
        assert len([query for query in queries if table in query["sql"]]) == 1


# who may see what


def test_object_that_the_user_may_not_see_is_no_link(campaign: Campaign) -> None:
    write(visit(campaign))
    assert f"/campaign/{campaign.pk}/" not in text_at(staff("view_beacon"), LIST)


def test_link_needs_permission_alone(campaign: Campaign) -> None:
    write(visit(campaign))
    assert f"/campaign/{campaign.pk}/" in text_at(staff(*READ), LIST)


def test_nobody_adds_or_changes_a_beacon(client: Client, article: Article) -> None:
    (beacon,) = write(visit(article))
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(page_of(beacon), {"target_id": "9"}).status_code == 403
    assert "Save" not in text_at(client, page_of(beacon))
    assert Client().get(LIST).status_code == 302


# filters


def test_beacons_of_a_target_are_found(
    client: Client, article: Article, campaign: Campaign
) -> None:
    other = Article.objects.create(slug="other")
    write(visit(article), visit(other), visit(campaign), visit(source=campaign))
    found = rows(client, target="campaigns.article", target_id=str(article.pk))
    assert [beacon.target for beacon in found] == [article]
    found = rows(client, source="campaigns.Campaign", source_id=f" {campaign.pk} ")
    assert [beacon.source for beacon in found] == [campaign]


def test_beacons_of_a_visitor_are_found(client: Client) -> None:
    beacons = write(visit(entity=ip_entity()), visit(entity=ip_entity()))
    entity = "trackable_beacons.ipentity"
    found = rows(client, entity=entity, entity_id=beacons[1].entity_id)
    assert found == [beacons[1]]


def test_a_key_may_be_written_in_any_way(client: Client) -> None:
    link = ExternalLink.objects.create(url="/")
    write(visit(link))
    for key in (str(link.pk), link.pk.hex, str(link.pk).upper()):
        assert len(rows(client, target="campaigns.externallink", target_id=key)) == 1


@for_each(
    "target, key",
    [
        ("campaigns.article", "99"),
        ("campaigns.article", "x"),
        ("campaigns.article", "1\0"),
        ("campaigns.article", "9" * 99),
        ("campaigns.gone", "1"),
        ("'; --", "1\0"),
        ("campaigns.campaign", "1"),
    ],
)
def test_what_is_not_there_is_not_found(
    client: Client, article: Article, target: str, key: str
) -> None:
    write(visit(article))
    assert rows(client, target=target, target_id=key) == []


def test_a_filter_needs_a_key(client: Client, article: Article) -> None:
    write(visit(article))
    assert len(rows(client, target="campaigns.article", target_id="")) == 1
    assert len(rows(client, target_id="5")) == 1


def test_filter_offers_the_models_that_there_are(
    client: Client, article: Article, campaign: Campaign
) -> None:
    assert filter_of(client, "target") is None
    write(visit(article), visit(campaign), visit(article))
    labels = [choice["label"] for choice in filter_of(client, "target").types]
    assert sorted(labels) == ["campaigns.article", "campaigns.campaign"]
    assert filter_of(client, "source") is None
    text = text_at(client, LIST, target="campaigns.campaign", target_id=campaign.pk)
    assert '<option value="campaigns.campaign" selected>' in text


def test_filters_take_each_other_along(client: Client, article: Article) -> None:
    write(visit(article, source=Campaign.objects.create(name="a")))
    params = {"target": "campaigns.article", "target_id": "<5>", "from": "2026-11-01", "o": "1"}
    text = "".join(
        re.findall(r"<details data-filter.*?</details>", text_at(client, LIST, **params), re.DOTALL)
    )
    assert text.count('<input type="hidden" name="target_id" value="&lt;5&gt;">') == 2
    assert text.count('<input type="hidden" name="o" value="1">') == 3
    assert 'href="?from=2026-11-01&amp;o=1">Clear' in text
    assert 'href="?o=1&amp;target=campaigns.article&amp;target_id=%3C5%3E">Clear' in text


def test_days_are_those_of_the_zone(client: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    midnight = AT.replace(hour=23, minute=0)  # of the 22nd, there
    first, second, third = write(
        visit(at=midnight - timedelta(seconds=1)),
        visit(at=midnight),
        visit(at=midnight + timedelta(days=1)),
    )
    assert rows(client, **{"from": "2026-11-22", "to": "2026-11-22"}) == [second]
    assert rows(client, to="2026-11-21") == [first]
    assert rows(client, **{"from": "2026-11-22"}) == [third, second]


@for_each("day", ["x", "2026-13-01", "0001-01-01", "9999-12-31", "1", "٢"])
def test_days_that_there_are_not_end_no_page(client: Client, settings: Any, day: str) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    write(visit())
    for name in ("from", "to"):
        response = client.get(LIST, {name: day})
        assert response.status_code in (200, 302)


def test_shortcuts_lead_to_the_last_days(client: Client) -> None:
    days = filter_of(client, "day")
    _, *links = days.choices(change_list(client, q="5"))
    today = timezone.localdate()
    assert [str(link["display"]) for link in links] == ["Today", "Past 7 days", "Past 30 days"]
    assert links[1]["query_string"] == f"?from={today - timedelta(days=6)}&q=5&to={today}"


@for_each("term, number", [("{pk}", 1), (" {pk} ", 1), ("x", 0), ("9" * 30, 0)])
def test_search_is_for_an_id(client: Client, term: str, number: int) -> None:
    beacons = write(visit(), visit())
    assert len(rows(client, q=term.format(pk=beacons[0].pk))) == number


def test_pages_pass_the_checks_of_the_admin() -> None:
    for model in (Beacon, IPEntity):
        assert site.get_model_admin(model).check() == []
