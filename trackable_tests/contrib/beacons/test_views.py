"""``trigger``: records a beacon, then sends the visitor on, or answers with a pixel."""

import inspect
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import isolate_apps
from django.urls import path

from trackable.contrib.beacons.models import Beacon, IPEntity
from trackable.contrib.beacons.views import trigger
from trackable.exceptions import TrackableError
from trackable.gif import NEVER_CACHED, TRANSPARENT_GIF
from trackable.journal import writer
from trackable.testing import Outbox
from trackable_tests.contrib.campaigns.models import (
    Article,
    Campaign,
    CampaignData,
    Dead,
    ExternalLink,
    Newsletter,
    Reader,
    Ticket,
)
from trackable_tests.tables import for_each

pytestmark = [pytest.mark.django_db, pytest.mark.urls("trackable_tests.contrib.beacons.urls")]

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
CRAWLER = {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}


def visit(*args: Any, method: str = "get", **kwargs: Any) -> HttpResponse:
    """Call the view as a view of the project's would."""
    return trigger(getattr(RequestFactory(), method)("/go/", headers=BROWSER), *args, **kwargs)


def values(outbox: Outbox) -> dict[str, Any]:
    """Return what the only beacon says."""
    (record,) = outbox.records
    assert record.record_class == "trackable_beacons.Beacon"
    return record.values


def is_never_cached(response: HttpResponse) -> bool:
    return all(response[name] == value for name, value in NEVER_CACHED.items())


# the interface


def test_signature_is_that_of_webbugger() -> None:
    assert str(inspect.signature(trigger)).replace(" ", "").partition("->")[0] == (
        "(request:'HttpRequest',target_type:'Objects|None',target_id:'Any',"
        "source_type:'Objects|None'=None,source_id:'Any'=None,"
        "entity_type:'type[Model]|None'=None,entity_id:'Any'=None,"
        "ignore_errors:'bool'=False,pixel:'bool'=False)"
    )


def test_visitor_is_sent_on_and_a_beacon_recorded(
    client: Client, outbox: Outbox, article: Article
) -> None:
    response = client.get(f"/{article.pk}/")
    assert (response.status_code, response["Location"]) == (302, "/articles/tides/")
    assert values(outbox)["target"] == ["campaigns.Article", str(article.pk)]
    assert values(outbox).keys() == {"at", "target"}


def test_time_of_the_visit_travels(outbox: Outbox, article: Article) -> None:
    visit(Article, article.pk)
    moment = datetime.fromisoformat(values(outbox)["at"])
    assert moment.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - moment < timedelta(minutes=1)


def test_source_and_entity_travel(outbox: Outbox, article: Article, campaign: Campaign) -> None:
    visit(Article, article.pk, Campaign, campaign.pk, Ticket, 7)
    assert values(outbox)["source"] == ["campaigns.Campaign", str(campaign.pk)]
    assert values(outbox)["entity"] == ["campaigns.Ticket", "7", None]


def test_uuid_travels_in_one_form(outbox: Outbox) -> None:
    link = ExternalLink.objects.create(url="https://example.org/")
    visit(ExternalLink, link.pk.hex.upper())
    assert values(outbox)["target"] == ["campaigns.ExternalLink", str(link.pk)]


@isolate_apps("trackable_tests.contrib.campaigns")
def test_proxy_travels_as_what_it_stands_for(outbox: Outbox, article: Article) -> None:
    class Shown(Article):
        class Meta:
            proxy = True
            app_label = "campaigns"

    visit(Shown, article.pk)
    assert values(outbox)["target"] == ["campaigns.Article", str(article.pk)]


EVALUATED = Article.objects.all()


@for_each("objects", [Article, Article.objects, EVALUATED])
def test_model_manager_and_queryset_will_do(outbox: Outbox, objects: Any) -> None:
    assert list(EVALUATED) == []  # what a queryset of a URLconf has found is not kept
    article = Article.objects.create(slug="later")
    assert visit(objects, article.pk, Campaign.objects, None)["Location"] == "/articles/later/"


def test_queryset_narrows_what_is_found(outbox: Outbox, article: Article) -> None:
    with pytest.raises(Http404):
        visit(Article.objects.exclude(slug="tides"), article.pk)
    assert outbox.records == []


def test_queryset_that_finds_an_object_twice_finds_it(outbox: Outbox, article: Article) -> None:
    editors = Group.objects.create(name="editors")
    for name in ("first", "second"):
        User.objects.create(username=name).groups.add(editors)
    assert visit(Article, article.pk, Group.objects.filter(user__is_active=True), editors.pk)
    assert values(outbox)["source"] == ["auth.Group", str(editors.pk)]


def test_beacons_are_folded(client: Client, outbox: Outbox, article: Article) -> None:
    campaign = Campaign.objects.create(name="spring")
    client.get(f"/{article.pk}/{campaign.pk}/0/")
    outbox.fold()
    beacon = Beacon.objects.get()
    assert (beacon.target, beacon.source) == (article, campaign)
    assert beacon.entity == IPEntity.objects.get()


# queries


def test_target_is_one_query(django_assert_num_queries: Any, article: Article) -> None:
    with django_assert_num_queries(1):
        visit(Article, article.pk)
    with django_assert_num_queries(1):
        visit(Article, article.pk, entity_type=IPEntity, entity_id=3)


def test_source_is_another_one(
    django_assert_num_queries: Any, article: Article, campaign: Campaign
) -> None:
    with django_assert_num_queries(2):
        visit(Article, article.pk, Campaign, campaign.pk, IPEntity)


def test_pixel_of_an_entity_alone_is_none(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        visit(None, None, entity_type=IPEntity, pixel=True)


def test_text_that_no_database_stores_is_not_asked_for(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0), pytest.raises(Http404):
        visit(Session, "a\0b")


# what is missing


def test_missing_target_is_never_ignored(outbox: Outbox) -> None:
    for ignore_errors in (False, True):
        for target_id in (0, 10**30, "x", None):
            with pytest.raises(Http404):
                visit(Article, target_id, ignore_errors=ignore_errors)
    assert outbox.records == []


def test_redirect_without_a_target_is_not_found(outbox: Outbox) -> None:
    with pytest.raises(Http404):
        visit(None, None, ignore_errors=True)


def test_target_without_an_address_is_not_found(client: Client, outbox: Outbox) -> None:
    dead = Dead.objects.create(name="end")
    for prefix in ("dead", "lenient"):
        assert client.get(f"/{prefix}/{dead.pk}/").status_code == 404
    assert outbox.records == []


def test_missing_source_is_not_found_unless_ignored(outbox: Outbox, article: Article) -> None:
    with pytest.raises(Http404):
        visit(Article, article.pk, Campaign, 0)
    assert outbox.records == []
    assert visit(Article, article.pk, Campaign, 0, ignore_errors=True).status_code == 302
    assert "source" not in values(outbox)


def test_source_type_without_an_id_is_no_source(outbox: Outbox, article: Article) -> None:
    assert visit(Article, article.pk, Campaign).status_code == 302
    assert "source" not in values(outbox)


def test_target_whose_address_is_too_long_is_not_recorded(outbox: Outbox) -> None:
    link = ExternalLink.objects.create(url="/" + "a" * 20_000)
    with pytest.raises(Http404):
        visit(ExternalLink, link.pk, ignore_errors=True)
    assert (outbox.records, [*outbox]) == ([], [])


# pixels


def test_pixel_needs_no_target(client: Client, outbox: Outbox) -> None:
    letter = Newsletter.objects.create(title="May")
    response = client.get(f"/pixels/{letter.pk}/")
    assert (response.content, response["Content-Type"]) == (TRANSPARENT_GIF, "image/gif")
    assert values(outbox)["source"] == ["campaigns.Newsletter", str(letter.pk)]
    assert is_never_cached(response)


def test_pixel_records_a_target_that_is_there(outbox: Outbox, article: Article) -> None:
    visit(Article, article.pk, pixel=True)
    assert "target" in values(outbox)
    outbox.clear()
    assert visit(Article, 0, pixel=True).status_code == 200
    assert "target" not in values(outbox)


def test_pixel_takes_a_target_that_leads_nowhere(outbox: Outbox) -> None:
    assert visit(Dead, Dead.objects.create().pk, pixel=True).status_code == 200
    assert "target" in values(outbox)


def test_pixel_of_a_missing_source_is_not_found_unless_ignored(outbox: Outbox) -> None:
    with pytest.raises(Http404):
        visit(None, None, Newsletter, 0, pixel=True)
    assert visit(None, None, Newsletter, 0, pixel=True, ignore_errors=True).status_code == 200


# entities


def test_new_entity_is_made_with_the_request(outbox: Outbox, article: Article) -> None:
    visit(Article, article.pk, entity_type=Reader)
    reader = Reader.objects.get()
    assert (reader.user_agent, reader.visits) == (BROWSER["User-Agent"], 1)
    assert values(outbox)["entity"] == ["campaigns.Reader", str(reader.pk), None]


def test_existing_entity_is_reused(outbox: Outbox, article: Article) -> None:
    reader = Reader.objects.create(visits=4)
    visit(Article, article.pk, entity_type=Reader, entity_id=str(reader.pk))
    assert Reader.objects.get().visits == 5


def test_existing_ip_entity_is_reused(outbox: Outbox, article: Article) -> None:
    entity = IPEntity.objects.create()
    visit(Article, article.pk, entity_type=IPEntity, entity_id=entity.pk)
    outbox.fold()
    assert (IPEntity.objects.get(), Beacon.objects.get().entity) == (entity, entity)


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Have readers fail once they are written."""

    def break_readers(error: Exception) -> None:
        def beacon_update(self: Reader, _: HttpRequest) -> None:
            self.save()
            raise error

        monkeypatch.setattr(Reader, "beacon_update", beacon_update)

    return break_readers


@for_each("error", [ValueError("\n4711"), DatabaseError(), TrackableError()])
def test_entity_that_fails_is_logged_without_what_it_says(
    article: Article, caplog: pytest.LogCaptureFixture, fail: Any, error: Exception
) -> None:
    fail(error)
    with pytest.raises(Http404):
        visit(Article, article.pk, entity_type=Reader)
    assert f"campaigns.Reader raised {type(error).__name__}" in caplog.text
    assert "in beacon_update" in caplog.text
    assert "4711" not in caplog.text


def test_failing_entity_is_logged_once(
    article: Article, caplog: pytest.LogCaptureFixture, fail: Any
) -> None:
    fail(ValueError())
    for _ in range(3):
        with pytest.raises(Http404):
            visit(Article, article.pk, entity_type=Reader)
    assert len(caplog.records) == 1


def test_failing_entity_does_not_keep_the_visitor_if_ignored(
    outbox: Outbox, article: Article, fail: Any
) -> None:
    fail(ValueError())
    response = visit(Article, article.pk, entity_type=Reader, ignore_errors=True)
    assert (response.status_code, outbox.records) == (302, [])
    assert Reader.objects.count() == 0


def test_errors_of_the_program_show_under_debug(article: Article, settings: Any, fail: Any) -> None:
    settings.DEBUG = True
    fail(TrackableError("mend me"))
    with pytest.raises(TrackableError, match="mend me"):
        visit(Article, article.pk, entity_type=Reader)


@for_each("objects", [Reader.objects, Reader.objects.all(), "campaigns.Reader", 5])
def test_entity_type_that_is_no_model_is_logged(
    outbox: Outbox, article: Article, caplog: pytest.LogCaptureFixture, objects: Any
) -> None:
    with pytest.raises(Http404):
        visit(Article, article.pk, entity_type=objects)
    assert f"{type(objects).__name__}, which is no model, raised" in caplog.text
    assert visit(Article, article.pk, entity_type=objects, ignore_errors=True).status_code == 302
    assert outbox.records == []


@for_each("debug", [False, True])
@for_each("synchronous", [False, True])
@for_each("snapshot", ["4711" * 2500, {1}])
def test_beacon_that_cannot_travel_is_not_found_unless_ignored(
    settings: Any,
    outbox: Outbox,
    article: Article,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    snapshot: Any,
    synchronous: bool,
    debug: bool,
) -> None:
    settings.BEACON_SYNCHRONOUS, settings.DEBUG = synchronous, debug
    monkeypatch.setattr(Ticket, "beacon_snapshot", lambda _: snapshot, raising=False)
    with pytest.raises(Http404):
        visit(Article, article.pk, entity_type=Ticket)
    assert visit(Article, article.pk, entity_type=Ticket, ignore_errors=True).status_code == 302
    assert (outbox.records, Beacon.objects.count()) == ([], 0)
    assert ("campaigns.Ticket raised BadRecord" in caplog.text, "4711" in caplog.text) == (
        True,
        False,
    )


def test_id_that_no_entity_could_have_is_an_error(outbox: Outbox, article: Article) -> None:
    with pytest.raises(Http404):
        visit(Article, article.pk, entity_type=ExternalLink, entity_id="x")
    assert outbox.records == []


# out of band, and at once


def test_journal_that_takes_nothing_does_not_keep_the_visitor(
    article: Article, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(writer, "current", fail)
    assert visit(Article, article.pk).status_code == 302
    assert "disk full" in caplog.text


def test_synchronous_beacon_is_there_at_once(
    settings: Any, outbox: Outbox, article: Article, campaign: Campaign
) -> None:
    settings.BEACON_SYNCHRONOUS = True
    visit(Article, article.pk, Campaign, campaign.pk, Reader)
    beacon = Beacon.objects.get()
    assert (beacon.target, beacon.source, beacon.entity) == (
        article,
        campaign,
        Reader.objects.get(),
    )
    assert beacon.target_type == ContentType.objects.get_for_model(Article)
    assert outbox.records == []
    assert outbox.total(campaign, "clicks") == 1


@pytest.fixture
def failing_writes(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    error = DatabaseError("'4711' is too long")

    def fail(*_: Any) -> None:
        raise error

    settings.BEACON_SYNCHRONOUS = True
    monkeypatch.setattr(Beacon, "write_records", fail)


@pytest.mark.usefixtures("failing_writes")
def test_synchronous_beacon_that_fails_is_not_found_unless_ignored(
    article: Article, campaign: Campaign, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Http404):
        visit(Article, article.pk, Campaign, campaign.pk)
    assert visit(Article, article.pk, ignore_errors=True).status_code == 302
    assert "trackable_beacons.Beacon raised DatabaseError" in caplog.text
    assert "4711" not in caplog.text
    assert outbox == []


# crawlers


@pytest.mark.parametrize("synchronous", [False, True])
def test_crawlers_are_answered_and_not_recorded(
    settings: Any, outbox: Outbox, article: Article, campaign: Campaign, synchronous: bool
) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    settings.BEACON_SYNCHRONOUS = synchronous
    request = RequestFactory().get("/", headers=CRAWLER)
    response = trigger(request, Article, article.pk, Campaign, campaign.pk, Reader)
    assert response.status_code == 302
    assert (outbox.records, [*outbox]) == ([], [])
    assert outbox.filtered["trackable_beacons.Beacon"] == 1
    assert outbox.filtered[CampaignData._meta.label] == 1
    assert not Reader.objects.exists()
    assert not Beacon.objects.exists()


def test_people_are_recorded_where_crawlers_are_filtered(
    settings: Any, outbox: Outbox, article: Article
) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    visit(Article, article.pk)
    assert len(outbox.records) == 1


# methods and headers


def test_head_is_answered_and_not_recorded(
    client: Client, outbox: Outbox, article: Article
) -> None:
    response = client.head(f"/{article.pk}/e0/")
    assert (response.status_code, response["Location"]) == (302, "/articles/tides/")
    assert client.head(f"/{article.pk}/s0/").status_code == 404
    assert (outbox.records, outbox.filtered.total()) == ([], 0)


def test_head_makes_no_entity(article: Article) -> None:
    visit(Article, article.pk, entity_type=Reader, method="head")
    assert not Reader.objects.exists()


@for_each("method", ["post", "put", "patch", "delete", "options"])
def test_other_methods_are_not_allowed(
    client: Client, outbox: Outbox, article: Article, method: str
) -> None:
    response = getattr(client, method)(f"/{article.pk}/")
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
    assert outbox.records == []
    assert is_never_cached(response)


def test_no_answer_is_ever_cached(client: Client, article: Article) -> None:
    assert is_never_cached(client.get(f"/{article.pk}/"))
    assert is_never_cached(client.get("/0/"))
    assert is_never_cached(client.get(f"/{article.pk}/s0/"))


def test_site_s_own_page_tells_that_nothing_is_found(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    response = client.get("/0/")
    assert (response.status_code, response.content) == (404, b"lost")
    assert is_never_cached(response)


def test_view_that_calls_it_may_mend_a_404(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    assert client.get("/mended/").content == b"mended"


def mended(request: HttpRequest) -> HttpResponse:
    try:
        return trigger(request, Article, 0)
    except Http404:
        return HttpResponse("mended")


def lost(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse("lost", status=404)


urlpatterns = [
    path("<int:target_id>/", trigger, {"target_type": Article}),
    path("mended/", mended),
]
handler404 = lost


def test_caches_of_the_site_keep_nothing(
    client: Client, settings: Any, outbox: Outbox, article: Article
) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    cache.clear()
    for _ in range(2):
        client.get(f"/{article.pk}/")
    assert len(outbox.records) == 2


def test_asgi_requests_are_answered(outbox: Outbox, article: Article) -> None:
    scope = {"type": "http", "method": "GET", "path": "/go/", "headers": []}
    request = ASGIRequest(scope, None)
    assert trigger(request, Article, article.pk).status_code == 302
    assert len(outbox.records) == 1


# what a visitor may send

NASTY = ["abc", "", " ", "0", "-1", "1.5", "9" * 30, "9" * 5000, "1e5", "NaN", "None", "true"]
NASTY += ["\0", "a\0b", "ü", "\U0001f600", "\ud800", "'; DROP TABLE x; --", "%00", "../..", "\n"]
NASTY += ["a" * 10_000, "{}", "[]", str(uuid.UUID(int=0)), str(-(2**63)), str(2**63), "٣" * 9]
NASTY_IDS = [ascii(value)[1:20] for value in NASTY]


@for_each("model", [Article, ExternalLink, Session])
@for_each("value", NASTY)
def test_malformed_targets_and_sources_are_not_found(
    outbox: Outbox, article: Article, model: Any, value: str
) -> None:
    with pytest.raises(Http404):
        visit(model, value, ignore_errors=True)
    with pytest.raises(Http404):
        visit(Article, article.pk, model, value)
    assert outbox.records == []


@for_each("value", NASTY)
def test_malformed_entities_are_new_ones(outbox: Outbox, article: Article, value: str) -> None:
    visit(Article, article.pk, entity_type=IPEntity, entity_id=value)
    visit(Article, article.pk, entity_type=Reader, entity_id=value)
    outbox.fold()
    assert Beacon.objects.count() == 2
    assert (Reader.objects.count(), IPEntity.objects.count()) == (1, 1)


@for_each("value", NASTY)
def test_malformed_entities_do_not_keep_the_visitor_if_ignored(
    outbox: Outbox, article: Article, value: str
) -> None:
    response = visit(Article, article.pk, None, None, ExternalLink, value, ignore_errors=True)
    assert response.status_code == 302
    outbox.fold()
