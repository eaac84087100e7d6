"""The how-to pages on moving in: what is printed there works, on the models of the tests."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.conf import settings
from django.core.management import load_command_class
from django.db import connection
from django.test.utils import isolate_apps

import trackable
from trackable.management import arguments
from trackable_tests.commands.running import run
from trackable_tests.conversion.old import FIRST_DAY, old_hits
from trackable_tests.counting import a_page, counts, total
from trackable_tests.testapp.models import OldHits, Page, PageData, PageTotals

HOW_TO = settings.BASE_DIR / "docs" / "how-to"
OWN = (HOW_TO / "moving-from-your-own-counters.md").read_text()
OLD = (HOW_TO / "moving-from-django-trackable.md").read_text()

pytestmark = pytest.mark.django_db


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def block(page: str, part: str) -> str:
    (found,) = [code for code in blocks(page, "python") if part in code]
    return found


def command(page: str, part: str) -> str:
    """Return the command line that has a part in it, without ``python manage.py``."""
    lines = re.findall(r"^\$ python manage\.py (.*)$", page, re.MULTILINE)
    (found,) = [line for line in lines if part in line]
    return found


def run_line(line: str, **replaced: str) -> str:
    for old, new in replaced.items():
        line = line.replace(old.replace("__", "."), new)
    name, *options = shlex.split(line)
    return run(name, *options).out


@pytest.mark.parametrize("page", [OWN, OLD], ids=["own", "old"])
def test_code_and_commands_can_be_read(page: str) -> None:
    assert all(ast.parse(code).body for code in blocks(page, "python"))
    for line in re.findall(r"^\$ python manage\.py (.*)$", page, re.MULTILINE):
        name, *options = shlex.split(line)
        load_command_class("trackable", name).create_parser("manage.py", name).parse_args(options)


def test_a_column_is_added_to_the_total() -> None:
    """The tests' page has no column that counts, so its key is one."""
    pages = [a_page(slug) for slug in "abc"]
    line = command(OWN, "blog.Article blog.ArticleTotals").replace("views", "id:views")
    for _ in range(2):
        run_line(line, blog__ArticleTotals="testapp.PageTotals", blog__Article="testapp.Page")
    assert counts(PageTotals) == {page.pk: page.pk for page in pages}
    names = {"Article": Page, "ArticleTotals": PageTotals}
    code = block(OWN, "trackable.popular(").replace("from blog.models", "# from blog.models")
    exec(code, names)
    assert list(names["popular"]) == pages[::-1]  # type: ignore[call-overload]


def test_keys_of_redis_are_copied_once_and_converted() -> None:
    page = a_page()
    stored = {b"views:2026-11-20:%d" % page.pk: b"7", b"views:2026-11-21:%d" % page.pk: b"5"}

    class Connection:
        def scan_iter(self, pattern: str) -> Iterator[bytes]:
            assert pattern == "views:*"
            return iter(stored)

        def get(self, key: bytes) -> bytes:
            return stored[key]

    class Manager:
        def get_or_create(self, key: str, defaults: dict[str, Any]) -> None:
            found = {"day": defaults["day"], "hits": defaults["views"]}
            found["page_id"] = defaults["article_id"]
            OldHits.objects.get_or_create(slug=key, defaults=found)

    names: dict[str, Any] = {"OldViews": type("OldViews", (), {"objects": Manager()})}
    exec(block(OWN, "def copy"), names)
    for _ in range(2):
        names["copy"](Connection())
    line = command(OWN, "blog.OldViews").replace("views ", "hits:views ")
    line = line.replace("article_id:", "page_id:")
    own = {"blog__OldViews": "testapp.OldHits", "blog__ArticleData": "testapp.PageData"}
    run_line(line, **own, blog__Article="testapp.Page")
    assert counts(PageData) == {
        (page.pk, date(2026, 11, 20)): 7,
        (page.pk, date(2026, 11, 21)): 5,
    }


def test_a_dry_run_says_what_a_table_would_bring() -> None:
    old_hits(3, slug="a")
    names = {"stats__Daily": "testapp.OldHits", "blog__ArticleData": "testapp.PageData"}
    said = run_line(command(OWN, "stats.Daily"), **names, blog__Article="testapp.Page")
    assert re.search(r"would be converted +3$", said, re.MULTILINE)
    assert counts(PageData) == {}


@pytest.fixture
def old_table(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The models of the page on django-trackable, with their tables, registered for pages."""
    names: dict[str, Any] = {"__name__": "trackable_tests.testapp.models"}
    with isolate_apps("trackable_tests.testapp"):
        exec(block(OLD, "class OldProductData"), names)
    new, old = names["ProductData"], names["OldProductData"]
    new._meta.db_table = "shop_productdata"
    monkeypatch.setattr(arguments, "model", lambda label: old)
    monkeypatch.setattr(arguments, "data_class", lambda label: new)
    with connection.schema_editor() as editor:
        old._meta.managed, old._meta.db_table = True, "shop_productdata"
        # Its name would be that of the new table's: Django has named them otherwise since.
        old._meta.get_field("content_type").db_constraint = False
        editor.create_model(old)
    rename, drop = blocks(OLD, "sql")
    with connection.cursor() as cursor:
        cursor.execute(rename)
    with connection.schema_editor() as editor:
        old._meta.db_table = "shop_productdata_old"
        editor.create_model(new)
    trackable.site.register(Page, new)
    yield names
    trackable.site.unregister(Page, new)
    with connection.cursor() as cursor:
        cursor.execute(drop)
    with connection.schema_editor() as editor:
        editor.delete_model(new)


def test_rows_of_the_old_table_are_added_also_where_they_are_twice(
    old_table: dict[str, Any],
) -> None:
    page, gone = a_page(), a_page("gone")
    for obj, views in ((page, 3), (page, 4), (gone, 5)):
        old_table["OldProductData"].objects.create(
            parent=obj, collected_during=FIRST_DAY, views=views
        )
    gone.delete()
    line = command(OLD, "convert_tracking_data")
    said = run_line(line)
    shown = OLD.partition(f"$ python manage.py {line}\n")[2].partition("\n```")[0]
    assert re.sub(r" +\d+", "", said).split("\n")[:-1] == re.sub(r" +\d+", "", shown).split("\n")
    run_line(line)
    assert counts(old_table["ProductData"]) == {(page.pk, FIRST_DAY): 7}
    assert total(PageData) == 0
