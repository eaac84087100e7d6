"""The how-to page on moving from django-hitcount: what is printed there works."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections import namedtuple
from datetime import date, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.test import RequestFactory
from django.views.generic import DetailView

from trackable.messaging import process_messages
from trackable_tests.commands.running import run
from trackable_tests.counting import a_page, counts, total
from trackable_tests.hitcounts.tables import FIRST, a_history, clean_up
from trackable_tests.testapp.models import Page, PageData, PageTotals

PAGE = (settings.BASE_DIR / "docs" / "how-to" / "moving-from-django-hitcount.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^\$ python manage\.py (import_hitcounts .*)$", PAGE, re.MULTILINE)

pytestmark = pytest.mark.django_db


def run_printed(command: str) -> str:
    """Run a command of the page, for the models of the tests."""
    command = command.replace("blog.ArticleTotals", "testapp.PageTotals")
    name, *arguments = shlex.split(command.replace("blog.Article", "testapp.Page"))
    return run(name, *arguments).out


def names_in(text: str) -> list[str]:
    return [line[:26].strip() for line in text.splitlines()[:-1]]


def test_commands_say_what_is_shown() -> None:
    a_history("gone").delete()
    a_history()
    clean_up(FIRST + timedelta(days=1))
    trial, dry, real, totals = COMMANDS
    for command in (trial, dry):
        shown = PAGE.partition(f"$ python manage.py {command}\n")[2].partition("\n```")[0]
        assert names_in(run_printed(command)) == names_in(shown)
    assert counts(PageData) == {}
    run_printed(real)
    assert {start: views for (_, start), views in counts(PageData).items()} == {
        date(2019, 12, 31): 1,
        date(2026, 3, 5): 2,
        date(2026, 3, 6): 3,
    }
    run_printed(totals)
    assert total(PageTotals) == 6


@pytest.fixture
def printed_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page imports: its own models, and of django-hitcount what it overrides."""

    class HitCountDetailView(DetailView):
        counts = True

        @classmethod
        def hit_count(cls, request: Any, hitcount: Any) -> Any:
            answer = namedtuple("answer", "hit_counted hit_message")
            return answer(cls.counts, "")

    models = {"Article": Page, "ArticleTrial": PageTotals, "ArticleData": PageData}
    for name, content in {
        "blog": {},
        "blog.models": models,
        "hitcount": {},
        "hitcount.views": {"HitCountDetailView": HitCountDetailView},
    }.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)


def view_with(part: str) -> Any:
    (code,) = [each for each in PYTHON if part in each]
    names: dict[str, Any] = {}
    exec(code, names)
    return names["ArticleView"]


@pytest.mark.usefixtures("printed_modules")
def test_trial_counts_what_django_hitcount_counts() -> None:
    page, view = a_page(), view_with("def hit_count")
    for view.counts in (True, False, True):
        view.hit_count(None, SimpleNamespace(content_object=page))
    process_messages()
    assert (total(PageTotals), total(PageData)) == (2, 0)


@pytest.mark.usefixtures("printed_modules")
def test_view_of_the_page_counts_each_view() -> None:
    page, view = a_page(), view_with("def get_object").as_view()
    for _ in range(2):
        view(RequestFactory().get("/"), pk=page.pk)
    process_messages()
    assert total(PageData) == 2


def test_code_of_the_page_can_be_read() -> None:
    assert all(ast.parse(code).body for code in PYTHON)
