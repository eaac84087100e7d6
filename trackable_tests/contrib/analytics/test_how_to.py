"""The how-to page: what it shows is what works."""

import ast
import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib import admin
from django.http import HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.urls import path
from django.utils.module_loading import import_string

from trackable import testing
from trackable.contrib.analytics import conf, consent, options, services, titles
from trackable.contrib.analytics.testing import capture
from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.pages import AGENT, Browser
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page

PAGE = (django_settings.BASE_DIR / "docs" / "how-to" / "analytics.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
SETTINGS = [text for text in PYTHON if text.startswith("SERVER_SIDE_TRACKING")]

pytestmark = pytest.mark.urls(pages.__name__)


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = []


@pytest.fixture
def blog(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ModuleType("blog.models")
    models.Article = Page  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "blog", ModuleType("blog"))
    monkeypatch.setitem(sys.modules, "blog.models", models)


@pytest.fixture
def hits() -> Iterator[list[Any]]:
    with capture() as found:
        yield found


def block(part: str, kind: str = "python") -> str:
    (found,) = [text for name, text in BLOCKS if name == kind and part in text]
    return found


def printed(part: str) -> dict[str, Any]:
    """Return what the block with this in it defines, when it is run."""
    names: dict[str, Any] = {"HttpResponseRedirect": HttpResponse, "__name__": "printed"}
    exec(block(part), names)
    return names


def urls_of(*patterns: Any) -> ModuleType:
    urls = ModuleType("urls")
    urls.urlpatterns = [*patterns]  # type: ignore[attr-defined]
    return urls


def get(url: str = "/a/") -> Any:
    return RequestFactory().get(url, headers={"User-Agent": AGENT})


@for_each("code", PYTHON)
def test_code_can_be_read(code: str) -> None:
    assert ast.parse(code).body


def test_settings_are_those_of_a_site_that_works(settings: Any) -> None:
    shown = printed("MIDDLEWARE = [")
    assert {*shown["INSTALLED_APPS"]} <= {*django_settings.INSTALLED_APPS}
    for name in shown["MIDDLEWARE"]:
        assert import_string(name)
    settings.SERVER_SIDE_TRACKING_SERVICES = shown["SERVER_SIDE_TRACKING_SERVICES"]
    (service,) = services.in_force()
    assert list(service.check()) == []


@for_each("number", range(len(SETTINGS)))
def test_keys_exist_and_their_values_fit(number: int) -> None:
    names: dict[str, Any] = {}
    exec(SETTINGS[number], names)
    assert list(options.flaws(conf.OPTIONS, names[conf.SETTING], where=conf.SETTING)) == []


def test_every_name_in_the_text_is_a_key_or_a_name() -> None:
    known = {*conf.OPTIONS, *conf.GOOGLE_OPTIONS}
    named = set(re.findall(r"`\"?((?:pageview|cookie|ping|redact|respect|consent)_\w+)", PAGE))
    assert named - known == set()
    assert len(named) > 10


def test_words_of_secret_parameters_are_those_of_the_default() -> None:
    (line,) = re.findall(r"`redact_parameters`: (.*?)\nand others", PAGE, re.DOTALL)
    words = re.findall(r"`(\w+)`", line)
    assert words
    assert {*words} <= {*conf.SECRET_WORDS}


@for_each("name", re.findall(r"`(trackable\.contrib\.[\w.]+\.\w+)`", PAGE))
def test_dotted_paths_lead_somewhere(name: str) -> None:
    assert import_string(name)


def test_extractors_of_the_page_find_titles(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = printed("HtmlTitleExtractor")["SERVER_SIDE_TRACKING"]
    assert titles.get_title(HttpResponse("<title>Tides</title>")) == "Tides"
    extractor = printed("class ArticleTitleExtractor")["ArticleTitleExtractor"]()
    response = SimpleNamespace(context_data={"article": Page(title="Sands")})
    assert extractor.get_title(response) == "Sands"


def test_mixin_of_the_page_tells_of_it(hits: list[Any]) -> None:
    view = printed("class AboutView")["AboutView"]
    response = view.as_view()(get("/about/"))
    response.template_name = pages.TEMPLATE
    response.render()
    assert [(hit.kind, hit.title) for hit in hits] == [("pageview", "About us")]


def test_events_of_the_page_are_sent(hits: list[Any]) -> None:
    names = printed("class TransactionView")
    view = names["TransactionView"]()
    view.setup(get("/shop/"))
    view.get(view.request)
    asyncio.run(view.finish())
    asyncio.run(names["subscribe"](get()))
    assert [(*hit.values.values(), dict(hit.properties)) for hit in hits] == [
        ("Transaction", "Get", {}),
        ("Transaction", "Finish", "basket", 12, {}),
        ("Newsletter", "Subscribe", {"list": "weekly"}),
    ]


def test_transaction_of_the_page_is_sent(settings: Any, hits: list[Any]) -> None:
    settings.DEBUG = True
    printed("def buy")["buy"](get())
    assert (hits[0].kind, hits[0].values["items"][0]["sku"]) == ("transaction", "T1")


@pytest.mark.django_db
def test_one_line_counts_and_sends(
    blog: None, hits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = printed("track_page_view(request, found")
    names["render"] = lambda *_: HttpResponse("")
    found = Page.objects.create(title="Tides", slug="tides")
    with testing.capture() as outbox:
        names["article"](get(), found.pk)
    assert (outbox.total(found, "views"), len(hits)) == (1, 1)


def test_urls_and_tag_make_a_ping(settings: Any) -> None:
    settings.ROOT_URLCONF = urls_of(*printed("include(")["urlpatterns"])
    source = block("{% load analytics %}", "html+django")
    html = Template(source).render(Context({"request": get()}))
    shown = re.search(r"`(<script src=\"\.\.\.\".*?</script>)`", PAGE)
    assert shown
    assert re.sub('"[^"]+"', '"..."', html.strip()) == shown[1]
    assert 'data-url="/analytics/ping/"' in html


# consent


@for_each("answer, status", [("accept", "1"), ("refuse", "0"), ("", "0")])
def test_form_decides(settings: Any, answer: str, status: str) -> None:
    decide = printed("consent.accept(")["decide"]
    request = RequestFactory().post("/", {"answer": answer})
    response = decide(request)
    assert response.cookies["cookie_status"].value == status
    assert consent.decision_of(request) == ("accept" if status == "1" else "refuse")
    assert decide(RequestFactory().get("/")).status_code == 405
    settings.ROOT_URLCONF = urls_of(path("decide/", decide, name="decide"))
    html = Template(block("csrf_token", "html+django")).render(Context({}))
    assert set(re.findall(r'name="answer" value="(\w+)"', html)) == {"accept", "refuse"}


SCRIPT_IN_NODE = """
const jar = {text: COOKIES, set: []};
const found = {addEventListener: (_, listener) => { found.click = listener; }};
globalThis.document = {
  getElementById: () => found,
  get cookie() { return jar.text; },
  set cookie(text) { jar.set.push(text); },
};
CODE
const asked = !found.hidden;
found.click({target: {value: "refuse"}});
console.log(JSON.stringify([asked, found.hidden, jar.set]));
"""

if shutil.which("node"):

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("cookies", "is_asked"), [("", True), ("a=b; cookie_status=0", False), ("x=1", True)]
    )
    def test_script_asks_once_and_is_heard(settings: Any, cookies: str, is_asked: bool) -> None:
        settings.MIDDLEWARE = [pages.MIDDLEWARE]
        code = SCRIPT_IN_NODE.replace("COOKIES", json.dumps(cookies))
        code = code.replace("CODE", block("consent.js", "javascript"))
        found = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
        asked, is_hidden, [text] = json.loads(found.stdout)
        assert (asked, is_hidden) == (is_asked, True)
        browser = Browser()
        name, _, value = text.partition(";")[0].partition("=")
        browser.client.cookies[name] = value
        browser.get()
        assert browser.cookies == {"cookie_status": "0"}


# the rest


@pytest.mark.django_db
def test_own_cookie_can_be_for_staff(settings: Any, admin_client: Client) -> None:
    prefix = "django.contrib"
    settings.MIDDLEWARE = [
        f"{prefix}.sessions.middleware.SessionMiddleware",
        f"{prefix}.auth.middleware.AuthenticationMiddleware",
    ]
    urls = printed("staff_member_required(")["urlpatterns"]
    settings.ROOT_URLCONF = urls_of(*urls, path("admin/", admin.site.urls))
    assert Client().get("/its-me/").status_code == 302
    assert admin_client.get("/its-me/").cookies["its_me"].value
    assert admin_client.get("/not-me/").cookies["its_me"].value == ""


def test_test_of_the_page_passes(settings: Any) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]
    printed("def test_front_page")["test_front_page_is_tracked"](Client())
