"""The mail of the how-to page, made by the code on that page, sent, parsed, and opened."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from html.parser import HTMLParser
from inspect import signature
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import isolate_apps

from trackable.contrib.pixels.counting import TAG_OPTIONS, Load, counting_pixel
from trackable.counters import counters_of
from trackable.exceptions import AlreadyRegistered
from trackable.gif import TRANSPARENT_GIF
from trackable.messaging import process_messages
from trackable.testing import capture
from trackable_tests.contrib.campaigns.models import Newsletter, NewsletterData

PAGE = (django_settings.BASE_DIR / "docs" / "how-to" / "email-opens.md").read_text("utf-8")
#: path -> what the page says is in that file
FILES = dict(re.findall(r"(?ms)^In `([\w./]+)`[^\n]*:\n\n```[\w+]+\n(.*?)^```$", PAGE))
QUERY = re.findall(r"(?ms)^```python\n(.*?)^```$", PAGE)[-1]

THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.9.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
BARRACUDA = "Barracuda Sentinel (EE)"
TITLE = "Größe & <Ehre> — May"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def subscriber_model() -> Iterator[Any]:
    """The model as the page declares it, with a table."""
    with isolate_apps("trackable_tests.contrib.campaigns"):
        models = SimpleNamespace(**run("newsletters/models.py", within=NewsletterData.__module__))
        assert {*counters_of(models.NewsletterData)} == {*counters_of(NewsletterData)}
        with connection.schema_editor() as editor:
            editor.create_model(models.Subscriber)
        yield models.Subscriber
        with connection.schema_editor() as editor:
            editor.delete_model(models.Subscriber)


@pytest.fixture
def site(subscriber_model: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The site of the page: its modules, templates and settings."""
    put = partial(monkeypatch.setitem, sys.modules)
    put("newsletters", ModuleType("newsletters"))
    models = {"Newsletter": Newsletter, "NewsletterData": NewsletterData}
    put("newsletters.models", module("newsletters.models", Subscriber=subscriber_model, **models))
    found = {}
    for name in ("views", "urls", "mailing"):
        found[name] = module(f"newsletters.{name}", **run(f"newsletters/{name}.py"))
        put(f"newsletters.{name}", found[name])
    templates = {
        path.removeprefix("newsletters/templates/"): text
        for path, text in FILES.items()
        if path.startswith("newsletters/templates/")
    }
    loader = ("django.template.loaders.locmem.Loader", templates)
    engine = {**django_settings.TEMPLATES[0], "APP_DIRS": False}
    settings.TEMPLATES = [{**engine, "OPTIONS": {**engine["OPTIONS"], "loaders": [loader]}}]
    settings.ROOT_URLCONF = "newsletters.urls"
    settings.PTRACK_APP_URL = "https://example.com"
    return SimpleNamespace(**found, Subscriber=subscriber_model)


def run(path: str, *, within: str = "newsletters") -> dict[str, Any]:
    """Run a file of the page, and return what it defines."""
    names: dict[str, Any] = {"__name__": within}
    exec(compile(FILES[path], path, "exec"), names)
    return {name: value for name, value in names.items() if not name.startswith("__")}


def module(name: str, **names: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(names)
    return made


@pytest.fixture
def letter() -> Newsletter:
    return Newsletter.objects.create(title=TITLE)


@pytest.fixture
def sent(site: SimpleNamespace, letter: Newsletter) -> SimpleNamespace:
    """The mail as it has arrived, and its parts."""
    site.Subscriber.objects.create(email="ada@example.org", allows_counting=True)
    site.mailing.send(letter)
    return parsed(raw(mail.outbox[0]))


def raw(message: Any) -> bytes:
    return bytes(message.message().as_bytes())


def parsed(content: bytes) -> SimpleNamespace:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    html, text = message.get_body(["html"]), message.get_body(["plain"])
    assert html is not None
    assert text is not None
    return SimpleNamespace(
        message=message,
        content=content,
        html=html.get_content(),
        text=text.get_content(),
        tags=Tags(html.get_content()),
    )


class Tags(HTMLParser):
    """The images and links of a page, and its tags in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.order: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.order.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        elif tag == "a":
            self.links.append(str(dict(attrs)["href"]))

    def handle_endtag(self, tag: str) -> None:
        self.order.append(f"/{tag}")


def image_of(sent: SimpleNamespace) -> str:
    (image,) = sent.tags.images
    return str(image["src"])


def header_url(sent: SimpleNamespace) -> str:
    return re.fullmatch(r"\s*<(https://\S+)>", sent.message["List-Unsubscribe"])[1]  # type: ignore[index]


def load(url: str, agent: str = THUNDERBIRD) -> None:
    response = Client().get(urlsplit(url).path, headers={"user-agent": agent})
    assert (response.status_code, response.content) == (200, TRANSPARENT_GIF)


# the page


def test_page_has_every_file_that_the_site_needs() -> None:
    assert [*FILES] == [
        "newsletters/models.py",
        "newsletters/trackabledata.py",
        "newsletters/urls.py",
        "newsletters/templates/newsletters/newsletter.txt",
        "newsletters/templates/newsletters/newsletter.html",
        "newsletters/mailing.py",
        "newsletters/views.py",
        "newsletters/templates/newsletters/unsubscribe.html",
    ]


def test_page_registers_what_it_counts_in(site: SimpleNamespace) -> None:
    with pytest.raises(AlreadyRegistered, match=r"campaigns\.NewsletterData already counts for"):
        run("newsletters/trackabledata.py")


def test_settings_of_the_page_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTRACK_SECRET", "a secret")
    names: dict[str, Any] = {"INSTALLED_APPS": []}
    exec(re.search(r"(?ms)^In the settings.*?```python\n(.*?)^```$", PAGE)[1], names)  # type: ignore[index]
    assert names["INSTALLED_APPS"] == ["trackable.contrib.pixels"]
    assert names["PTRACK_SECRET"] == "a secret"


def test_page_says_where_rows_come_from() -> None:
    assert "manage.py makemigrations newsletters\n$ python manage.py migrate\n" in PAGE
    assert "(../reference/commands.md#fold_trackable_messages)" in PAGE


def test_page_lists_every_option_of_the_tag() -> None:
    options = {*signature(counting_pixel).parameters, *signature(Load.of).parameters}
    table = PAGE.split("## The tag")[1]
    listed = {*re.findall(r"(?m)^\| `(\w+)` \|", table)}
    assert listed == {*TAG_OPTIONS} == options - {"context", "obj", "field", "options"}


# the message


def test_message_has_a_text_and_a_page_and_one_image_in_the_page(sent: SimpleNamespace) -> None:
    assert sent.message.get_content_type() == "multipart/alternative"
    assert (sent.message["Subject"], sent.message["To"]) == (TITLE, "ada@example.org")
    (image,) = sent.tags.images
    assert (image["width"], image["height"], image["alt"]) == ("1", "1", "")
    assert urlsplit(str(image["src"]))[:2] == ("https", "example.com")
    assert TITLE in sent.text
    assert "ptrack" not in sent.text


def test_image_is_at_the_end_of_the_body(sent: SimpleNamespace) -> None:
    assert sent.tags.order[-3:] == ["img", "/body", "/html"]


def test_no_line_is_too_long_for_a_mail_server(sent: SimpleNamespace) -> None:
    assert max(map(len, sent.content.splitlines())) < 998


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_address_survives_every_way_to_encode_the_page(
    sent: SimpleNamespace, encoding: str
) -> None:
    part = sent.message.get_body(["html"])
    part.set_content(sent.html, subtype="html", cte=encoding)
    content = sent.message.as_bytes(policy=policy.SMTP.clone(cte_type="7bit"))
    assert max(map(len, content.splitlines())) < 100
    again = parsed(content)
    assert again.message.get_body(["html"])["Content-Transfer-Encoding"] == encoding
    assert image_of(again) == image_of(sent)


def test_image_goes_only_to_those_who_allow_it(site: SimpleNamespace, letter: Newsletter) -> None:
    site.Subscriber.objects.create(email="ada@example.org")
    site.mailing.send(letter)
    assert parsed(raw(mail.outbox[0])).tags.images == []


def test_image_does_not_tell_whom_it_was_sent_to(site: SimpleNamespace, letter: Newsletter) -> None:
    for name in ("ada", "bob"):
        site.Subscriber.objects.create(email=f"{name}@example.org", allows_counting=True)
    site.mailing.send(letter)
    with capture() as outbox:
        for message in mail.outbox:
            load(image_of(parsed(raw(message))))
    assert len({increment.key for increment in outbox}) == 1
    assert len({header_url(parsed(raw(message))) for message in mail.outbox}) == 2


# what loads its image


def test_opens_are_counted_after_a_fold(sent: SimpleNamespace, letter: Newsletter) -> None:
    with capture() as outbox:
        for agent in (THUNDERBIRD, THUNDERBIRD, GMAIL, APPLE, BARRACUDA):
            load(image_of(sent), agent)
        assert outbox.total(letter, "opens") == 2
        assert process_messages() == 5
    row = NewsletterData.objects.get(object_id=letter.pk)
    assert (row.opens, row.opens_by_proxy, row.opens_by_scanner) == (2, 2, 1)


def test_counters_are_read_as_the_page_says(sent: SimpleNamespace, letter: Newsletter) -> None:
    load(image_of(sent))
    load(image_of(sent), APPLE)
    process_messages()
    *imports, query = QUERY.split("\n\n")
    names: dict[str, Any] = {"newsletter": letter}
    exec("\n".join(imports), names)
    assert eval(query, names) == {
        "opens__sum": 1,
        "opens_by_proxy__sum": 1,
        "opens_by_scanner__sum": 0,
    }


# unsubscribing


def test_headers_are_those_of_one_click(sent: SimpleNamespace, site: SimpleNamespace) -> None:
    token = site.Subscriber.objects.get().token
    assert header_url(sent) == f"https://example.com/unsubscribe/{token}/"
    assert sent.message.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    assert len(sent.message.get_all("List-Unsubscribe")) == 1
    assert "ptrack" not in header_url(sent)
    assert sent.tags.links == [header_url(sent)]
    assert header_url(sent) in sent.text


def test_headers_are_written_plainly(sent: SimpleNamespace) -> None:
    """By what this Django writes mails with, and by what later ones do."""
    modern = EmailMessage(policy=policy.SMTP)
    modern["List-Unsubscribe"] = f"<{header_url(sent)}>"
    for content in (sent.content, modern.as_bytes()):
        (line,) = re.findall(
            rb"^List-Unsubscribe: .*?\r?\n(?!\s)", content, re.DOTALL | re.MULTILINE
        )
        assert line.split() == [b"List-Unsubscribe:", f"<{header_url(sent)}>".encode()]
    assert len(header_url(sent)) <= int(re.search(r"(\d+) characters at most", PAGE)[1])  # type: ignore[index]


def test_scanner_that_follows_every_link_unsubscribes_nobody(
    sent: SimpleNamespace, site: SimpleNamespace
) -> None:
    scanner = Client(headers={"user-agent": BARRACUDA})
    for url in [*sent.tags.links, header_url(sent), image_of(sent)]:
        for method in (scanner.get, scanner.head):
            assert method(urlsplit(url).path).status_code == 200
    assert site.Subscriber.objects.get().is_active


def test_one_click_of_a_mailbox_unsubscribes(
    sent: SimpleNamespace, site: SimpleNamespace, letter: Newsletter
) -> None:
    mailbox = Client(enforce_csrf_checks=True)
    body = {"List-Unsubscribe": "One-Click"}
    for _ in range(2):
        response = mailbox.post(urlsplit(header_url(sent)).path, body)
        assert (response.status_code, len(mailbox.cookies)) == (200, 0)
    assert not site.Subscriber.objects.get().is_active
    site.mailing.send(letter)
    assert len(mail.outbox) == 1


def test_button_of_the_page_is_the_same_post(sent: SimpleNamespace) -> None:
    html = Client().get(urlsplit(header_url(sent)).path).content.decode()
    assert '<form method="post">' in html
    assert 'name="List-Unsubscribe" value="One-Click"' in html


def test_wrong_token_is_not_found(site: SimpleNamespace) -> None:
    for method in (Client().get, Client().post):
        assert method("/unsubscribe/guess/").status_code == 404


def test_image_cannot_be_posted_to(sent: SimpleNamespace) -> None:
    response = Client().post(urlsplit(image_of(sent)).path, {"List-Unsubscribe": "One-Click"})
    assert response.status_code == 405
