"""The how-to page: what it shows is what works."""

import ast
import re
import sys
import textwrap
import types
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.template import engines
from django.test import RequestFactory
from django.urls import path, resolve, reverse

from trackable.contrib.beacons.models import Beacon, IPEntity
from trackable.contrib.beacons.views import trigger
from trackable.testing import Outbox
from trackable_tests.contrib.campaigns.models import Article, Campaign, Newsletter, Reader
from trackable_tests.tables import for_each

PAGE = (django_settings.BASE_DIR / "docs" / "how-to" / "beacons.md").read_text()
BLOCK = re.compile(r"^```(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, textwrap.dedent(text)) for kind, text in BLOCK.findall(PAGE)]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]

pytestmark = [pytest.mark.django_db, pytest.mark.urls("trackable_tests.contrib.beacons.urls")]


def block(beginning: str) -> str:
    (found,) = [text for text in PYTHON if text.startswith(beginning)]
    return found


@for_each("code", PYTHON)
def test_code_can_be_read(code: str) -> None:
    assert ast.parse(code).body


def test_apps_are_those_of_the_tests() -> None:
    shown = re.findall(r'"([\w.]+)",', block("# settings.py"))
    assert shown
    assert {*shown} <= {*django_settings.INSTALLED_APPS}


@pytest.fixture
def patterns(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the URL patterns of the page."""
    models = types.ModuleType("blog.models")
    vars(models).update(Article=Article, Campaign=Campaign)
    monkeypatch.setitem(sys.modules, "blog", types.ModuleType("blog"))
    monkeypatch.setitem(sys.modules, "blog.models", models)
    names: dict[str, Any] = {"Newsletter": Newsletter}
    exec(block("# urls.py"), names)
    (pixel,) = eval(
        block("path(\n"), {"path": path, "trigger": trigger, "IPEntity": IPEntity} | names
    )
    return [*names["urlpatterns"], pixel]


def test_urls_record_and_redirect(
    settings: Any, outbox: Outbox, patterns: list[Any], article: Article, campaign: Campaign
) -> None:
    urls = types.ModuleType("blog.urls")
    urls.urlpatterns = patterns  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urls
    letter = Newsletter.objects.create(title="May")
    for address, status in (
        (reverse("go", args=[article.pk]), 302),
        (reverse("go-from", args=[article.pk, campaign.pk]), 302),
        (reverse("opened", args=[letter.pk]), 200),
    ):
        match = resolve(address)
        request = RequestFactory().get(address)
        assert match.func(request, *match.args, **match.kwargs).status_code == status
    outbox.fold()
    assert [(each.target, each.source) for each in Beacon.objects.order_by("id")] == [
        (article, None),
        (article, campaign),
        (None, letter),
    ]
    assert IPEntity.objects.count() == 2


def test_template_makes_links_and_an_image(article: Article, campaign: Campaign) -> None:
    (text,) = [text for kind, text in BLOCKS if "{% load beacons %}" in text]
    context = {"article": article, "campaign": campaign, "newsletter": campaign}
    html = engines["django"].from_string(text).render({**context, "reader": Reader(pk=1)})
    assert re.sub("/b/[^/]+/", "...", html).splitlines()[1:] == [
        '<a href="...">Read on</a>',
        '<a href="...">Read on</a>',
        '<img src="..." width="1" height="1" alt="">',
    ]


def test_snapshot_of_the_page_is_short() -> None:
    (code,) = [text for text in PYTHON if "def beacon_snapshot" in text]
    models = types.SimpleNamespace(Model=object, CharField=lambda **_: "")
    names: dict[str, Any] = {"models": models}
    exec(code, names)
    request = RequestFactory().get("/", headers={"User-Agent": "a" * 400})
    assert names["Reader"].beacon_snapshot(request) == {"user_agent": "a" * 300}
