"""Signed links: they say what to record and where to go, and nobody else can write them."""

import time
from typing import Any

import pytest
from django.core import signing
from django.db import models
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import isolate_apps
from django.urls import NoReverseMatch

from trackable.contrib.beacons import links
from trackable.contrib.beacons.links import Link, beacon_image, beacon_url, read, sign
from trackable.contrib.beacons.models import Beacon, IPEntity
from trackable.contrib.beacons.naming import LinkError
from trackable.exceptions import UnsavedObject
from trackable.gif import TRANSPARENT_GIF
from trackable.testing import Outbox
from trackable_tests.contrib.beacons.test_views import is_never_cached, values
from trackable_tests.contrib.campaigns.models import (
    Article,
    Campaign,
    Dead,
    ExternalLink,
    Newsletter,
    Reader,
    Ticket,
)
from trackable_tests.tables import for_each

pytestmark = [pytest.mark.django_db, pytest.mark.urls("trackable_tests.contrib.beacons.urls")]


def rendered(text: str, **context: Any) -> str:
    return Template("{% load beacons %}" + text).render(Context(context))


# what a link does


def test_link_leads_to_its_target_and_is_recorded(
    client: Client, outbox: Outbox, article: Article, campaign: Campaign
) -> None:
    reader = Reader.objects.create()
    response = client.get(beacon_url(article, source=campaign, entity=reader))
    assert (response.status_code, response["Location"]) == (302, "/articles/tides/")
    assert is_never_cached(response)
    assert values(outbox)["target"] == ["campaigns.Article", str(article.pk)]
    assert values(outbox)["source"] == ["campaigns.Campaign", str(campaign.pk)]
    assert values(outbox)["entity"] == ["campaigns.Reader", str(reader.pk), None]
    reader.refresh_from_db()
    assert reader.visits == 1


def test_link_finds_keys_that_are_no_numbers(client: Client, outbox: Outbox) -> None:
    link = ExternalLink.objects.create(url="https://example.org/")
    assert client.get(beacon_url(link))["Location"] == "https://example.org/"
    assert values(outbox)["target"][1] == str(link.pk)


@for_each("entity", [IPEntity, "trackable_beacons.IPEntity", IPEntity()])
def test_model_means_a_new_entity_each_time(
    client: Client, outbox: Outbox, article: Article, entity: Any
) -> None:
    url = beacon_url(article, entity=entity)
    for _ in range(2):
        client.get(url)
    outbox.fold()
    assert IPEntity.objects.count() == 2


def test_object_whose_key_is_made_by_its_class_means_a_new_entity() -> None:
    assert links.name_of(ExternalLink(), can_be_new=True) == ("campaigns.ExternalLink",)


def test_link_is_followed_as_often_as_one_likes(
    client: Client, outbox: Outbox, article: Article
) -> None:
    url = beacon_url(article)
    for _ in range(3):
        assert client.get(url).status_code == 302
    assert len(outbox.records) == 3


def test_head_is_answered_and_not_recorded(
    client: Client, outbox: Outbox, article: Article
) -> None:
    assert client.head(beacon_url(article))["Location"] == "/articles/tides/"
    assert client.post(beacon_url(article)).status_code == 405
    assert outbox.records == []


def test_pixel_is_answered_with_an_image(client: Client, outbox: Outbox) -> None:
    letter = Newsletter.objects.create(title="May")
    response = client.get(beacon_url(source=letter, pixel=True))
    assert response.content == TRANSPARENT_GIF
    assert values(outbox)["source"] == ["campaigns.Newsletter", str(letter.pk)]


# what is gone when it is followed


def test_missing_target_is_not_found(client: Client, outbox: Outbox, article: Article) -> None:
    url, pixel = beacon_url(article), beacon_url(article, pixel=True)
    article.delete()
    assert client.get(url).status_code == 404
    assert is_never_cached(client.get(url))
    assert outbox.records == []
    assert client.get(pixel).content == TRANSPARENT_GIF


def test_link_in_a_mail_leads_somewhere_without_its_source(
    client: Client, outbox: Outbox, article: Article, campaign: Campaign
) -> None:
    url = beacon_url(article, source=campaign)
    strict = beacon_url(article, source=campaign, ignore_errors=False)
    campaign.delete()
    assert client.get(url).status_code == 302
    assert "source" not in values(outbox)
    assert client.get(strict).status_code == 404


def test_model_that_has_gone_is_as_an_object_that_has(
    client: Client, outbox: Outbox, article: Article
) -> None:
    here, gone = ("campaigns.Article", article.pk), ("campaigns.Gone", 1)
    assert follow(client, Link(gone)) == 404
    assert follow(client, Link(("nowhere.Gone", 1))) == 404
    for link in (Link(here, gone), Link(here, None, gone), Link(here, None, ("nowhere.Gone",))):
        assert follow(client, link) == 302
    for link in (Link(here, gone, ignore_errors=False), Link(here, None, gone, False, False)):
        assert follow(client, link) == 404
    assert [record.values.keys() for record in outbox.records] == [{"at", "target"}] * 3


def follow(client: Client, link: Link) -> int:
    return client.get(links.url_of(link)).status_code


def test_target_that_leads_nowhere_is_not_found(client: Client, outbox: Outbox) -> None:
    assert client.get(beacon_url(Dead.objects.create())).status_code == 404
    assert outbox.records == []


# until when


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Clock:
        now = 1_800_000_000.0

    monkeypatch.setattr(time, "time", lambda: Clock.now)
    return Clock


def test_link_works_for_ever_unless_it_is_told_otherwise(clock: Any) -> None:
    signed = sign(Link())
    clock.now += 100 * 365 * 86400
    assert read(signed) == Link()


def test_link_expires_after_its_own_time(client: Client, clock: Any, article: Article) -> None:
    url = beacon_url(article, expire_after_seconds=60.5)
    clock.now += 61
    assert client.get(url).status_code == 302
    clock.now += 1
    assert client.get(url).status_code == 404


def test_link_expires_after_the_time_of_the_setting(settings: Any, clock: Any) -> None:
    signed, own = sign(Link()), sign(Link(expire_after_seconds=100))
    settings.BEACON_LINK_MAX_AGE = 60
    clock.now += 61
    assert read(signed) is None
    assert read(own) == Link(expire_after_seconds=100)
    clock.now += 40
    assert read(own) is None


@for_each("seconds", [0, -1, "60", True, float("nan"), float("inf")])
def test_time_that_is_none_is_refused(article: Article, seconds: Any) -> None:
    with pytest.raises(LinkError, match="cannot expire after"):
        beacon_url(article, expire_after_seconds=seconds)


# who can write them


def test_link_says_what_it_was_made_of() -> None:
    link = Link(("a.B", 1), ("c.D", "x"), ("e.F",), True, False, 60)
    assert read(sign(link)) == link
    assert read(sign(Link())) == Link()


@pytest.mark.parametrize("secret", ["another", "only for tests "])
def test_link_of_another_site_is_refused(settings: Any, secret: str) -> None:
    signed = sign(Link())
    settings.SECRET_KEY = secret
    assert read(signed) is None


def test_link_outlives_its_key_among_the_old_ones(settings: Any) -> None:
    signed = sign(Link())
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert read(signed) == Link()


def test_what_is_signed_for_another_purpose_is_refused() -> None:
    text = signing.TimestampSigner(salt=links.SALT).unsign(sign(Link()))
    assert read(signing.TimestampSigner().sign(text)) is None
    assert read(signing.dumps([])) is None
    assert read(signing.dumps([], salt=links.SALT)) is None


@for_each(
    "cells",
    [
        {},
        None,
        "text",
        [1],
        [["a.B", None]],
        [["a.B", 1, 2]],
        [["a.B", 1.5]],
        [[]],
        [None, None, None, 4],
        [None, None, None, "1"],
        [None, None, None, [1]],
        [None, None, None, 0, "60"],
        [None, None, None, 0, 60, 1],
    ],
)
def test_what_a_later_version_signs_is_refused(cells: Any) -> None:
    class Later(Link):
        def packed(self) -> Any:
            return cells

    assert read(sign(Later())) is None


@for_each("kind", ["j", "z", "x"])
def test_what_is_signed_and_is_no_link_is_refused(kind: str) -> None:
    signer = signing.TimestampSigner(salt=links.SALT)
    assert read(signer.sign(f"{kind}AAAA")) is None
    assert read(signer.sign(f"{kind}A")) is None


def test_refused_link_makes_no_noise(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    response = client.get("/b/jW10:1/")
    assert (response.status_code, is_never_cached(response)) == (404, True)
    assert [record.name for record in caplog.records if record.levelname != "DEBUG"] == [
        "django.request"
    ]


# how it looks


def test_link_is_short_and_needs_no_escaping(article: Article, campaign: Campaign) -> None:
    url = beacon_url(article, source=campaign, entity="campaigns.Ticket")
    assert len(url) < 200
    assert url.startswith(("/b/j", "/b/z"))  # no dot: servers hide such files
    assert set(url) <= {*"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:/"}


def test_long_link_is_compressed() -> None:
    link = Link(("campaigns.Campaign", "a" * 60), ("campaigns.Campaign", "a" * 60))
    assert sign(link).startswith("z")
    assert read(sign(link)) == link


def test_link_that_is_too_long_is_an_error_with_its_cure(settings: Any, article: Article) -> None:
    settings.BEACON_MAX_URL_LENGTH = 50
    with pytest.raises(LinkError, match=r"longer than BEACON_MAX_URL_LENGTH, 50: name fewer"):
        beacon_url(article)


def test_link_needs_the_urls_of_beacons(settings: Any, article: Article) -> None:
    settings.ROOT_URLCONF = "trackable_tests.urls"
    with pytest.raises(NoReverseMatch, match="beacons"):
        beacon_url(article)


def test_link_has_the_host_of_the_setting_else_of_the_request(
    settings: Any, article: Article
) -> None:
    request = RequestFactory().get("/", headers={"Host": "shop.example"})
    assert beacon_url(article).startswith("/b/")
    assert beacon_url(article, request=request).startswith("http://shop.example/b/")
    for base in ("https://example.com", "https://example.com/"):
        settings.BEACON_BASE_URL = base
        assert beacon_url(article).startswith("https://example.com/b/")
        assert beacon_url(article, request=request).startswith("https://example.com/b/")


def test_request_of_a_host_that_is_none_of_ours_gives_a_path(
    settings: Any, article: Article
) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    request = RequestFactory().get("/", headers={"Host": "evil.example"})
    assert beacon_url(article, request=request).startswith("/b/")


def test_making_a_link_runs_no_sql(django_assert_num_queries: Any, article: Article) -> None:
    with django_assert_num_queries(0):
        beacon_url(article, entity=IPEntity)


# what there is no link to


@for_each("thing", ["", "campaigns.Article", 7, Article, object()])
def test_what_is_no_object_is_refused(article: Article, thing: Any) -> None:
    with pytest.raises(LinkError, match="pass an object of a model"):
        beacon_url(thing)
    with pytest.raises(LinkError, match="pass an object of a model"):
        beacon_url(article, source=thing)


@for_each("thing", ["", "Reader", "campaigns.None", 7])
def test_what_is_no_entity_is_refused(article: Article, thing: Any) -> None:
    with pytest.raises(LinkError):
        beacon_url(article, entity=thing)


def test_link_without_a_target_is_refused() -> None:
    with pytest.raises(LinkError, match="needs a target"):
        beacon_url()


@pytest.mark.parametrize("thing", [Article(slug="new"), ExternalLink()])
def test_objects_without_a_row_are_refused(article: Article, thing: Any) -> None:
    with pytest.raises(UnsavedObject, match="save it before linking to it"):
        beacon_url(thing)
    with pytest.raises(UnsavedObject):
        beacon_url(article, source=thing)


def test_key_set_by_hand_names_a_row() -> None:
    assert links.name_of(Article(pk=7)) == ("campaigns.Article", 7)


@isolate_apps("trackable_tests.contrib.campaigns")
def test_keys_that_a_beacon_cannot_keep_are_refused() -> None:
    class Long(models.Model):
        key = models.TextField(primary_key=True)

        class Meta:
            app_label = "campaigns"

    class Pair(models.Model):
        pk = (1, 2)  # type: ignore[assignment]

        class Meta:
            app_label = "campaigns"

    with pytest.raises(LinkError, match="a key of 65 characters is too long"):
        links.name_of(Long("a" * 65))
    with pytest.raises(LinkError, match="made of several fields"):
        links.name_of(Pair())


# templates


def test_template_makes_links(client: Client, article: Article, campaign: Campaign) -> None:
    url = rendered(
        "{% beacon_url target source=source entity='campaigns.Ticket' expire_after=60 %}",
        target=article,
        source=campaign,
    )
    assert read(url.split("/")[2]) == Link(
        ("campaigns.Article", article.pk),
        ("campaigns.Campaign", campaign.pk),
        ("campaigns.Ticket",),
        expire_after_seconds=60,
    )
    assert client.get(url).status_code == 302


def test_template_makes_pixels(client: Client, outbox: Outbox, campaign: Campaign) -> None:
    html = rendered("{% beacon_pixel source=source entity=reader %}", source=campaign, reader=None)
    start, url, end = html.split('"', 2)
    assert (start, end) == ("<img src=", ' width="1" height="1" alt="">')
    assert client.get(url).content == TRANSPARENT_GIF
    assert values(outbox).keys() == {"at", "source"}
    assert "/b/" in beacon_image(campaign, ignore_errors=False)


def test_model_in_a_template_means_a_new_entity(article: Article) -> None:
    url = rendered("{% beacon_url target entity=model %}", target=article, model=Ticket)
    link = read(url.split("/")[2])
    assert link is not None
    assert link.entity == ("campaigns.Ticket",)


def test_link_in_a_page_has_the_host_of_its_request(rf: RequestFactory, article: Article) -> None:
    url = rendered("{% beacon_url target %}", target=article, request=rf.get("/page/"))
    assert url.startswith("http://testserver/b/")
    url = rendered("{% beacon_url target %}", target=article, request="of somebody")
    assert url.startswith("/b/")


def test_name_that_is_missing_in_a_template_is_an_error(article: Article) -> None:
    with pytest.raises(LinkError, match="There is no link to ''"):
        rendered("{% beacon_url targt %}", target=article)
    with pytest.raises(LinkError, match="There is no link to ''"):
        rendered("{% beacon_url target source=campain %}", target=article)


def test_option_that_does_not_exist_is_an_error(article: Article) -> None:
    with pytest.raises(TypeError, match="pixle"):
        rendered("{% beacon_url target pixle=True %}", target=article)


def test_synchronous_link_is_there_at_once(client: Client, settings: Any, article: Article) -> None:
    settings.BEACON_SYNCHRONOUS = True
    client.get(beacon_url(article, entity=IPEntity))
    assert Beacon.objects.get().entity == IPEntity.objects.get()
