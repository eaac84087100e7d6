"""Images that count: what they count is told when they are made, and nothing raises afterwards."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.db import models
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client, RequestFactory
from django.test.utils import isolate_apps
from django.urls import include, path
from django.utils.functional import SimpleLazyObject

from trackable import conf, messaging, notices
from trackable.contrib.pixels import TrackingPixel, counting, images, tracker, views
from trackable.contrib.pixels.counting import Load, counting_image, counting_url
from trackable.contrib.pixels.exceptions import PtrackOptionError
from trackable.exceptions import (
    BadAmount,
    NotRegistered,
    TrackableError,
    UnknownField,
    UnsavedObject,
    WrongDataClass,
)
from trackable.gif import TRANSPARENT_GIF
from trackable.messaging import process_messages
from trackable.models import LedgerEntry, Spider, TrackableData
from trackable.sites import TrackableSite
from trackable.testing import Outbox, capture
from trackable_tests.contrib.campaigns.models import (
    ExternalLink,
    LinkData,
    Newsletter,
    NewsletterData,
    Note,
    NoteData,
)
from trackable_tests.counting import a_page, total
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    Page,
    PageHours,
    PageParentData,
)

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
BARRACUDA = "Barracuda Sentinel (EE)"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SLACKBOT = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"

urlpatterns = [path("ptrack/", include("trackable.contrib.pixels.urls"))]


@pytest.fixture(autouse=True)
def own_site(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.PTRACK_APP_URL = "https://news.example"


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    with capture() as receiver:
        yield receiver


def saved(model: type[models.Model], **values: Any) -> Any:
    """Return an object as a query would, without one."""
    obj = model(**values)
    obj._state.adding = False
    return obj


def newsletter(pk: int = 7) -> Newsletter:
    return saved(Newsletter, pk=pk, title="May")  # type: ignore[no-any-return]


def load(url: str, agent: str | None = FIREFOX, **headers: str) -> Any:
    """Load an image by its address."""
    sent = {**headers, **({} if agent is None else {"user-agent": agent})}
    response = Client().get(urlsplit(url).path, headers=sent)
    assert (response.status_code, response.content) == (200, TRANSPARENT_GIF)
    return response


def render(source: str, **context: Any) -> str:
    return Template("{% load ptrack %}" + source).render(Context(context))


def src_of(html: str) -> str:
    return html.split('src="')[1].split('"')[0]


# what is counted


def test_image_of_a_template_counts_one_when_it_is_loaded(outbox: Outbox) -> None:
    html = render("{% counting_pixel newsletter 'opens' %}", newsletter=newsletter())
    assert html.startswith('<img src="https://news.example/ptrack/')
    assert outbox == []
    load(src_of(html))
    load(src_of(html))
    assert outbox.total(newsletter(), "opens") == 2


def test_image_without_a_template_counts_the_same(outbox: Outbox) -> None:
    load(src_of(counting_image(newsletter(), "opens")))
    load(counting_url(newsletter(), "opens"))
    assert outbox.total(newsletter(), "opens") == 2
    assert len(outbox) == 2


def test_image_counts_on_its_own_object(outbox: Outbox) -> None:
    load(counting_url(newsletter(1), "opens"))
    load(counting_url(newsletter(2), "opens"))
    assert [increment.object_id for increment in outbox] == ["1", "2"]


@pytest.mark.django_db(transaction=True)
def test_open_is_in_the_rows_after_a_fold() -> None:
    letter = Newsletter.objects.create(title="May")
    for agent in (FIREFOX, FIREFOX, GMAIL, APPLE, BARRACUDA):
        load(counting_url(letter, "opens"), agent)
    assert process_messages() == 5
    row = NewsletterData.objects.get(object_id=letter.pk)
    assert (row.opens, row.opens_by_proxy, row.opens_by_scanner) == (2, 2, 1)


def test_data_class_is_the_one_that_is_named(outbox: Outbox) -> None:
    page = saved(Page, pk=1, slug="a")
    for data_cls in (PageHours, "testapp.PageHours", None):
        load(counting_url(page, "views", data_cls=data_cls))
    labels = [increment.data_class for increment in outbox]
    assert labels == ["testapp.PageHours", "testapp.PageHours", "testapp.PageData"]


def test_template_takes_a_class_or_its_label(outbox: Outbox) -> None:
    source = "{% counting_pixel page 'views' data_cls=data_cls %}"
    for data_cls in (PageHours, "testapp.PageHours"):
        load(src_of(render(source, page=saved(Page, pk=1), data_cls=data_cls)))
    assert {increment.data_class for increment in outbox} == {"testapp.PageHours"}


@for_each(
    "field, value",
    [("views", 5), ("score", -2), ("revenue", Decimal("9.50")), ("seconds", 0.1), ("seconds", 3)],
)
def test_value_is_what_an_image_counts(field: str, value: Any, outbox: Outbox) -> None:
    page = saved(Page, pk=1)
    load(src_of(render("{% counting_pixel page field value=value %}", **locals())))
    assert outbox.total(page, field) == value


def test_no_query_is_run(django_assert_num_queries: Any, db: None, outbox: Outbox) -> None:
    with django_assert_num_queries(0):
        for agent in (FIREFOX, GMAIL, None):
            load(counting_url(newsletter(), "opens"), agent)
            load(counting_url(saved(Page, pk=1), "views", data_cls=PageParentData), agent)
    assert len(outbox) == 4


def test_a_request_gives_the_host(settings: Any, rf: RequestFactory) -> None:
    settings.PTRACK_APP_URL = ""
    for request, start in ((rf.get("/"), "http://testserver/"), ("no request", "/ptrack/")):
        html = render("{% counting_pixel obj 'opens' %}", obj=newsletter(), request=request)
        assert src_of(html).startswith(start)


def test_expired_image_counts_nothing(monkeypatch: pytest.MonkeyPatch, outbox: Outbox) -> None:
    source = "{% counting_pixel obj 'opens' expire_after=60 %}"
    urls = [src_of(render(source, obj=newsletter()))]
    urls.append(counting_url(newsletter(), "opens", expire_after_seconds=60))
    for seconds, count in ((59, 2), (62, 2)):
        monkeypatch.setattr("trackable.contrib.pixels.views.time", Later(seconds))
        [load(url) for url in urls]
        assert len(outbox) == count


class Later:
    """Stands for the module, so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self.moment = time.time() + seconds

    def time(self) -> float:
        return self.moment


def test_image_never_expires_unless_it_is_said(settings: Any, outbox: Outbox) -> None:
    settings.PTRACK_EXPIRE_AFTER = 0.001
    load(counting_url(newsletter(), "opens", expire_after_seconds=None))
    assert len(outbox) == 1


def test_head_and_post_count_nothing(outbox: Outbox) -> None:
    url = urlsplit(counting_url(newsletter(), "opens")).path
    client = Client(headers={"user-agent": FIREFOX})
    assert (client.head(url).status_code, client.post(url).status_code) == (200, 405)
    assert outbox == []


def test_other_pixels_are_not_called_for_it_nor_it_for_theirs(outbox: Outbox) -> None:
    class Other(TrackingPixel):
        def record(self, request: Any, *args: Any, **kwargs: Any) -> None:
            called.append(args)

    called: list[Any] = []
    tracker.register(Other)
    try:
        load(counting_url(newsletter(), "opens"))
        load(src_of(render("{% ptrack 'campaigns.Newsletter' '7' %}")))
    finally:
        tracker.unregister(Other)
    assert called == [("campaigns.Newsletter", "7")]
    assert len(outbox) == 1


# who is counted apart


@for_each(
    "agent, counter",
    [
        (FIREFOX, "opens"),
        (GOOGLEBOT, "opens_by_scanner"),
        (SLACKBOT, "opens_by_scanner"),
        (GMAIL, "opens_by_proxy"),
        (APPLE, "opens_by_proxy"),
        (BARRACUDA, "opens_by_scanner"),
        (None, "opens_by_scanner"),
    ],
)
def test_proxies_and_scanners_are_counted_apart(
    agent: str | None, counter: str, outbox: Outbox
) -> None:
    load(counting_url(newsletter(), "opens"), agent)
    assert [increment.field_name for increment in outbox] == [counter]


def test_what_is_loaded_ahead_is_a_scanners(outbox: Outbox) -> None:
    load(counting_url(newsletter(), "opens"), **{"sec-purpose": "prefetch"})
    assert outbox.total(newsletter(), "opens_by_scanner") == 1


@for_each("agent", [GMAIL, APPLE, BARRACUDA, None])
def test_without_counters_they_are_tallied_as_filtered(agent: str | None, outbox: Outbox) -> None:
    note = saved(Note, pk=1)
    load(counting_url(note, "opens"), agent)
    assert (outbox, outbox.filtered) == ([], {"campaigns.NoteData": 1})
    load(counting_url(note, "opens"))
    assert outbox.total(note, "opens") == 1


@pytest.mark.django_db(transaction=True)
def test_the_tally_is_in_the_ledger() -> None:
    note = Note.objects.create(title="May")
    load(counting_url(note, "opens"), GMAIL)
    load(counting_url(note, "opens"))
    process_messages()
    assert total(NoteData, "opens") == 1
    assert sum(LedgerEntry.objects.values_list("filtered", flat=True)) == 1


def test_counters_for_them_can_be_named(outbox: Outbox) -> None:
    page = saved(Page, pk=1)
    html = render("{% counting_pixel page 'views' proxies='clicks' scanners='score' %}", page=page)
    for agent in (FIREFOX, GMAIL, BARRACUDA):
        load(src_of(html), agent)
    assert [increment.field_name for increment in outbox] == ["views", "clicks", "score"]


def test_they_count_the_same_value(outbox: Outbox) -> None:
    url = counting_url(newsletter(), "opens", value=3)
    for agent in (FIREFOX, GMAIL, BARRACUDA):
        load(url, agent)
    assert [increment.amount for increment in outbox] == [3, 3, 3]


@pytest.mark.django_db
def test_the_spider_filter_is_for_the_others(settings: Any, outbox: Outbox) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    Spider.objects.create(pattern="Firefox/0.9")
    for agent in (FIREFOX, GMAIL, APPLE, BARRACUDA, None, GOOGLEBOT, "Mozilla/5.0 Firefox/0.9"):
        load(counting_url(newsletter(), "opens"), agent)
    names = [increment.field_name for increment in outbox]
    assert names == ["opens", *["opens_by_proxy"] * 2, *["opens_by_scanner"] * 3]
    assert outbox.filtered == {"campaigns.NewsletterData": 1}


# objects of every kind


@for_each(
    "obj, field, data_cls",
    [
        (saved(Newsletter, pk=2**63 - 1), "opens", None),
        (saved(Page, pk=3), "views", PageParentData),
        (saved(Download), "views", DownloadData),
        (saved(ExternalLink), "visits", LinkData),
        (saved(Link, code="a"), "views", None),
        (saved(Link, code='ä/"<&>%\U0001f600 \n\\'), "views", None),
        (SimpleLazyObject(lambda: saved(Page, pk=3)), "views", None),
    ],
)
def test_image_counts_what_an_emit_would(
    obj: Any, field: str, data_cls: Any, outbox: Outbox
) -> None:
    load(counting_url(obj, field, data_cls=data_cls))
    messaging.send_increment_message(None, obj, field, data_cls)
    assert outbox[0] == outbox[1]


@isolate_apps("trackable_tests.testapp")
def test_proxies_and_children_of_a_model_count_as_it_does(outbox: Outbox) -> None:
    class Sheet(Page):
        class Meta:
            proxy = True
            app_label = "testapp"

    class Poster(Page):
        class Meta:
            app_label = "testapp"

    for obj in (saved(Sheet, pk=3), saved(Poster, id=3, page_ptr_id=4)):
        load(counting_url(obj, "views"))
        messaging.send_increment_message(None, obj, "views")
    assert {increment.key for increment in outbox} == {
        ("testapp.PageData", "testapp.Page", "3", "views")
    }
    assert len(outbox) == 4


def find_too(monkeypatch: pytest.MonkeyPatch, *own: type[models.Model]) -> None:
    """Have models found by label that are in no app."""
    found = {model._meta.label: model for model in own}

    class Apps:
        def get_model(self, label: str) -> Any:
            return found.get(label) or apps.get_model(label)

    monkeypatch.setattr(counting, "apps", Apps())


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of the last emit."""
    last: list[Any] = []

    def emit(request: Any, *args: Any) -> bool:
        last[:] = args
        return True

    monkeypatch.setattr(messaging, "send_increment_message", emit)
    return last


def key_of(obj: Any, field: str, data_cls: Any, *_: Any) -> tuple[str, ...]:
    return messaging.key_of(obj, field, data_cls)


@isolate_apps("trackable_tests.testapp")
def test_what_a_data_class_counts_by_goes_into_the_address(
    monkeypatch: pytest.MonkeyPatch, emitted: list[Any]
) -> None:
    class Sheet(Page):
        class Meta:
            proxy = True
            app_label = "testapp"

    class SlugData(TrackableData):
        parent = models.ForeignKey(Page, models.CASCADE, to_field="slug", related_name="+")
        views = models.IntegerField(default=0)

        class Meta:
            app_label = "testapp"

    find_too(monkeypatch, Sheet, SlugData)
    site = TrackableSite("own")
    site.register([Sheet, Page], SlugData)
    for obj in (saved(Page, slug="a"), saved(Sheet, slug="b")):
        load(counting_url(obj, "views", data_cls=SlugData))
        assert type(emitted[0]) is type(obj)
        assert key_of(*emitted) == ("testapp.SlugData", "testapp.Page", obj.slug, "views")


@isolate_apps("trackable_tests.testapp")
def test_child_that_is_counted_itself_has_a_key_of_its_own(
    monkeypatch: pytest.MonkeyPatch, emitted: list[Any]
) -> None:
    class Poster(Page):
        class Meta:
            app_label = "testapp"

    class PosterData(TrackableData):
        views = models.IntegerField(default=0)

        class Meta:
            app_label = "testapp"

    find_too(monkeypatch, Poster, PosterData)
    site = TrackableSite("own")
    site.register(Poster, PosterData)
    load(counting_url(saved(Poster, id=3, page_ptr_id=4), "views", data_cls=PosterData))
    assert key_of(*emitted) == ("testapp.PosterData", "testapp.Poster", "4", "views")


def test_no_code_of_a_model_runs_for_a_load(
    monkeypatch: pytest.MonkeyPatch, outbox: Outbox
) -> None:
    url = counting_url(newsletter(), "opens")

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("called")

    monkeypatch.setattr(Newsletter, "__init__", fail)
    models.signals.pre_init.connect(fail, sender=Newsletter)
    try:
        load(url)
    finally:
        models.signals.pre_init.disconnect(fail, sender=Newsletter)
    assert len(outbox) == 1


def test_address_leaves_out_what_goes_without_saying() -> None:
    args, kwargs = Load.of(newsletter(), "opens").packed()
    assert args == ["campaigns.Newsletter", "7", "campaigns.NewsletterData", "opens"]
    assert kwargs == {}
    assert len(counting_url(newsletter(), "opens")) < 240


# what is wrong shows in the template


@for_each(
    "obj, field, options, error",
    [
        (Newsletter(), "opens", {}, UnsavedObject),
        (Download(), "views", {}, UnsavedObject),
        (newsletter(), "shows", {}, UnknownField),
        (newsletter(), "", {}, UnknownField),
        (newsletter(), "opens", {"proxies": "nobody"}, UnknownField),
        (newsletter(), "opens", {"scanners": ""}, UnknownField),
        (newsletter(), "opens", {"scanners": ["opens"]}, UnknownField),
        (newsletter(), "opens", {"proxies": 7}, UnknownField),
        (newsletter(), ["opens"], {}, UnknownField),
        (newsletter(), None, {}, UnknownField),
        (saved(LedgerEntry), "opens", {}, NotRegistered),
        ("", "opens", {}, NotRegistered),
        (None, "opens", {}, NotRegistered),
        (newsletter(), "opens", {"data_cls": "campaigns.Nothing"}, NotRegistered),
        (newsletter(), "opens", {"data_cls": "campaigns.Newsletter"}, NotRegistered),
        (newsletter(), "opens", {"data_cls": ""}, NotRegistered),
        (newsletter(), "opens", {"data_cls": "no label"}, NotRegistered),
        (newsletter(), "opens", {"data_cls": NoteData}, WrongDataClass),
        (newsletter(), "opens", {"value": 0.5}, BadAmount),
        (newsletter(), "opens", {"value": "1"}, BadAmount),
        (newsletter(), "opens", {"value": True}, BadAmount),
        (newsletter(), "opens", {"value": None}, BadAmount),
        (newsletter(), "opens", {"value": 2**31}, BadAmount),
        (saved(Page, pk=1), "revenue", {"value": Decimal(1), "proxies": "views"}, BadAmount),
    ],
)
@for_each("debug", [True, False])
def test_what_cannot_be_counted_raises_where_the_image_is_made(
    obj: Any, field: str, options: Any, error: type[TrackableError], debug: bool, settings: Any
) -> None:
    settings.DEBUG = debug
    with pytest.raises(error):
        counting_image(obj, field, **options)
    tag = " ".join(["{% counting_pixel obj field", *(f"{name}={name}" for name in options), "%}"])
    with pytest.raises(error):
        render(tag, obj=obj, field=field, **options)


def test_unknown_option_raises_and_is_told_with_those_that_there_are() -> None:
    told = "no option sender: the options are data_cls, value, proxies, scanners, request, expire_a"
    for make in (counting_image, counting_url):
        with pytest.raises(PtrackOptionError, match=told):
            make(newsletter(), "opens", sender="me")


@for_each("name", ["expire_after_seconds", "request", "sender"])
def test_unknown_option_of_the_tag_is_told_with_those_that_there_are(name: str) -> None:
    told = f"no option {name}: its options are data_cls, value, expire_after, proxies, scanners"
    with pytest.raises(TemplateSyntaxError, match=told):
        render(f"{{% counting_pixel obj 'opens' {name}=60 %}}", obj=newsletter())


@for_each("seconds", [0, -1, "60", float("nan"), 10**400])
def test_wrong_time_raises_where_the_image_is_made(seconds: Any) -> None:
    with pytest.raises(ValueError, match="expire"):
        counting_image(newsletter(), "opens", expire_after_seconds=seconds)


# and nothing raises in the view


@for_each(
    "args, kwargs",
    [
        (["campaigns.Gone", "7", "campaigns.NewsletterData", "opens"], {}),
        (["gone.Newsletter", "7", "campaigns.NewsletterData", "opens"], {}),
        (["campaigns.Newsletter", "7", "campaigns.Gone", "opens"], {}),
        (["campaigns.Newsletter", "7", "campaigns.NewsletterData", "gone"], {}),
        (["campaigns.Newsletter", "7", "campaigns.NoteData", "opens"], {}),
        (["campaigns.Newsletter", "7", "campaigns.Newsletter", "opens"], {}),
        (["campaigns.Newsletter", "7", "campaigns.NewsletterData", "opens"], {"value": "many"}),
        (["campaigns.Newsletter", "7", "campaigns.NewsletterData", "opens"], {"value": 2**63}),
        (["campaigns.Newsletter", "7", "campaigns.NewsletterData", "opens"], {"more": 1}),
        (["campaigns.Newsletter", ["7"], {"a": 1}, 4], {}),
        (["campaigns.Newsletter"], {}),
        (["\n\x1b[31m", "7", "\u202e", "opens"], {}),
    ],
)
@for_each("debug", [True, False])
def test_what_is_gone_is_logged_once_and_counts_nothing(
    args: Any, kwargs: Any, debug: bool, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = debug
    url = images.url_of(args, kwargs, to="CountingPixel")
    for _ in range(3):
        load(url)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert caplog.records[0].getMessage().isascii()
    assert caplog.records[0].getMessage().isprintable()
    assert not conf.journal_dir().exists()


def test_counter_for_proxies_that_is_gone_counts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    args = ["campaigns.Newsletter", "7", "campaigns.NewsletterData", "opens"]
    url = images.url_of(args, {"proxies": "gone"}, to="CountingPixel")
    load(url, GMAIL)
    assert "gone" in caplog.text
    assert not conf.journal_dir().exists()


def test_failure_of_the_journal_does_not_keep_the_image(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(messaging, "send_increment_message", fail)
    load(counting_url(newsletter(), "opens"))
    load(counting_url(newsletter(), "opens"))
    assert len(caplog.records) == 1


@pytest.mark.django_db(transaction=True)
def test_object_that_is_gone_is_as_for_any_emit() -> None:
    letter, page = Newsletter.objects.create(title="May"), a_page()
    urls = [counting_url(letter, "opens"), counting_url(page, "views", data_cls=PageParentData)]
    key = letter.pk
    letter.delete()
    page.delete()
    for url in urls:
        load(url)
    assert process_messages() == 1
    assert NewsletterData.objects.get().object_id == key
    assert total(PageParentData) == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_replays_grow_nothing_but_the_journal(rf: RequestFactory) -> None:
    url = urlsplit(counting_url(newsletter(), "opens")).path
    data = url.removeprefix("/ptrack/").rstrip("/")
    request, view = rf.get(url, headers={"user-agent": FIREFOX}), views.TrackingPixel.as_view()
    view(request, ptrack_encoded_data=data)
    before = len(gc.get_objects())
    statuses = {view(request, ptrack_encoded_data=data).status_code for _ in range(9_999)}
    assert statuses == {200}
    assert len(gc.get_objects()) - before < 1000
    assert notices._said_at == {}
    assert process_messages() == 10_000
    assert [row.opens for row in NewsletterData.objects.all()] == [10_000]


def test_full_journal_does_not_keep_the_image(
    settings: Any, rf: RequestFactory, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 20_000
    data = urlsplit(counting_url(newsletter(), "opens")).path.removeprefix("/ptrack/").rstrip("/")
    request, view = rf.get("/", headers={"user-agent": FIREFOX}), views.TrackingPixel.as_view()
    for _ in range(1000):
        assert view(request, ptrack_encoded_data=data).content == TRANSPARENT_GIF
    size = sum(each.stat().st_size for each in conf.journal_dir().rglob("*") if each.is_file())
    assert size < 30_000
    assert len(caplog.records) < 3
