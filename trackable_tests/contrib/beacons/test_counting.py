"""Counting: each beacon counts one where the data classes of its target and its source say so."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import RequestFactory
from django.test.utils import isolate_apps

from trackable import TrackableSite
from trackable.contrib.beacons.counting import count
from trackable.contrib.beacons.views import trigger
from trackable.exceptions import UnknownField
from trackable.messaging import process_messages
from trackable.testing import Outbox
from trackable_tests.contrib.campaigns.models import (
    Article,
    Campaign,
    CampaignData,
    ExternalLink,
    LinkData,
    NewsletterData,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def link() -> ExternalLink:
    return ExternalLink.objects.create(url="https://example.org/")


@pytest.fixture
def site() -> Iterator[TrackableSite]:
    """A registry that the test fills, and empties again."""
    site = TrackableSite("own")
    yield site
    for data_cls in site.data_classes():
        site.unregister(site.get_parents(data_cls), data_cls)


@pytest.fixture
def count_articles(site: TrackableSite, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have a data class with several counters count for articles."""

    def register(counts_beacons: Any) -> None:
        monkeypatch.setattr(NewsletterData, "counts_beacons", counts_beacons, raising=False)
        site.register(Article, NewsletterData)

    return register


def visit(*args: Any, **kwargs: Any) -> None:
    trigger(RequestFactory().get("/"), *args, **kwargs)


def counted(outbox: Outbox) -> list[tuple[str, str, str]]:
    return [(each.model, each.object_id, each.field_name) for each in outbox]


def test_beacon_counts_for_target_and_source(
    outbox: Outbox, link: ExternalLink, campaign: Campaign
) -> None:
    visit(ExternalLink, link.pk, Campaign, campaign.pk)
    assert counted(outbox) == [
        ("campaigns.ExternalLink", str(link.pk), "visits"),
        ("campaigns.Campaign", str(campaign.pk), "clicks"),
    ]


def test_what_has_no_data_class_is_not_counted(outbox: Outbox, article: Article) -> None:
    visit(Article, article.pk)
    assert counted(outbox) == []


@pytest.mark.parametrize("counts_beacons", [None, "", {}, {"target": None}])
def test_data_class_that_counts_no_beacons_is_left_alone(
    outbox: Outbox, count_articles: Any, article: Article, counts_beacons: Any
) -> None:
    count_articles(counts_beacons)
    visit(Article, article.pk)
    assert counted(outbox) == []


def test_target_and_source_may_have_counters_of_their_own(
    outbox: Outbox, count_articles: Any, article: Article
) -> None:
    count_articles({"target": "opens", "source": "opens_by_proxy"})
    visit(Article, article.pk)
    visit(None, None, Article, article.pk, pixel=True)
    visit(Article, article.pk, Article, article.pk)
    assert [each.field_name for each in outbox] == [
        "opens",
        "opens_by_proxy",
        "opens",
        "opens_by_proxy",
    ]


def test_objects_of_models_that_inherit_are_counted_too(
    outbox: Outbox, count_articles: Any, article: Article
) -> None:
    count_articles("opens")
    with isolate_apps("trackable_tests.contrib.campaigns"):

        class Shown(Article):
            class Meta:
                proxy = True
                app_label = "campaigns"

    visit(Shown, article.pk)
    assert counted(outbox) == [("campaigns.Article", str(article.pk), "opens")]


def test_data_class_in_two_registries_counts_once(
    outbox: Outbox, site: TrackableSite, campaign: Campaign
) -> None:
    site.register(Campaign, CampaignData)
    visit(None, None, Campaign, campaign.pk, pixel=True)
    assert counted(outbox) == [("campaigns.Campaign", str(campaign.pk), "clicks")]


def test_registering_later_takes_effect_at_once(
    outbox: Outbox, count_articles: Any, article: Article
) -> None:
    visit(Article, article.pk)
    count_articles("opens")
    visit(Article, article.pk)
    assert len(counted(outbox)) == 1


def test_counting_runs_no_sql(
    outbox: Outbox, link: ExternalLink, campaign: Campaign, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        count(RequestFactory().get("/"), target=link, source=campaign)
    assert len(outbox) == 2


def test_beacon_that_is_not_recorded_is_not_counted(
    outbox: Outbox, link: ExternalLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "trackable.contrib.beacons.emitting.messaging.send_record", lambda *_: False
    )
    visit(ExternalLink, link.pk)
    assert counted(outbox) == []


def test_counter_that_does_not_exist_does_not_keep_the_visitor(
    count_articles: Any, article: Article, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    count_articles("openz")
    visit(Article, article.pk)
    assert "has no counter" in caplog.text
    settings.DEBUG = True
    with pytest.raises(UnknownField):
        visit(Article, article.pk)


@pytest.mark.django_db(transaction=True)
def test_counts_and_beacons_are_folded_together(link: ExternalLink, campaign: Campaign) -> None:
    for _ in range(3):
        visit(ExternalLink, link.pk, Campaign, campaign.pk)
    assert process_messages() == 9
    assert LinkData.objects.get().visits == CampaignData.objects.get().clicks == 3
