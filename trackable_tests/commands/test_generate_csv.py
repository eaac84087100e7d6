"""The command writes what its options select, to a file or to standard output."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from trackable.management.commands import generate_csv as module
from trackable.messaging import process_messages
from trackable_tests.commands.running import run
from trackable_tests.counting import a_page, emit
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page, PageTotals

pytestmark = pytest.mark.django_db

HEADER = "model,object_id,object,days,views_sum,views_average\r\n"


@pytest.fixture
def page() -> Page:
    page = a_page()
    emit(page, times=3)
    emit(page, data_cls=PageTotals)
    process_messages()
    return page


def line(page: Page) -> str:
    return f"testapp.Page,{page.pk},a,1,3,3.0\r\n"


def test_it_writes_to_standard_output(page: Page) -> None:
    said = run("generate_csv", model="testapp.Page", fields="views")
    assert said == (HEADER + line(page), "")


def test_it_writes_a_whole_file_or_none(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    said = run("generate_csv", model="testapp.Page", fields="views", output=str(path))
    assert path.read_bytes().decode() == HEADER + line(page)
    assert "1 objects are in" in said.err
    monkeypatch.setattr(module.Export, "write", lambda *args: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run("generate_csv", model="testapp.Page", output=str(path))
    assert [each.name for each in tmp_path.glob("*a.csv*")] == ["a.csv"]
    assert path.read_bytes().decode() == HEADER + line(page)


def test_file_may_be_read_as_any_other(page: Page, tmp_path: Path) -> None:
    run("generate_csv", model="testapp.Page", output=str(tmp_path / "a.csv"))
    (tmp_path / "other").touch()
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("a.csv", "other")]
    assert modes[0] == modes[1]


def test_all_counters_are_the_default(page: Page) -> None:
    header, _ = run("generate_csv", data_class="testapp.PageTotals").out.splitlines()
    assert header == "model,object_id,object,views_sum"
    assert "seconds_average" in run("generate_csv", model="testapp.Page").out


def test_options_are_read_from_a_command_line(page: Page) -> None:
    arguments = ["--data-class", "testapp.PageData", "--model", "testapp.Page"]
    said = run("generate_csv", *arguments, "--start", "2000-01-01", "--end", "2000-12-31")
    assert said.out.count("\r\n") == 1


@for_each(
    "options, cure",
    [
        ({}, "--model app.Model, or --data-class"),
        ({"model": "testapp.Pgae"}, "Did you mean testapp.Page?"),
        ({"model": "testapp.Unregistered"}, "register a data class"),
        ({"data_class": "testapp.Pagedat"}, "Did you mean testapp.PageData?"),
        ({"data_class": "testapp.PageData", "model": "testapp.Link"}, "does not count for"),
        ({"model": "testapp.Page", "fields": "veiws"}, "Did you mean views?"),
        ({"data_class": "testapp.PageTotals", "start": "2026-01-01"}, "no times"),
        (
            {
                "model": "testapp.Page",
                "start": "2026-01-02",
                "end": "2026-01-01",
            },
            "is after",
        ),
        ({"model": "testapp.Page", "output": "/nonexistent/a.csv"}, "cannot be written: No such"),
    ],
)
def test_wrong_options_are_refused_with_the_cure(options: dict[str, Any], cure: str) -> None:
    with pytest.raises(CommandError) as caught:
        run("generate_csv", **options)
    assert cure in str(caught.value)


@for_each("wrong", ["tomorrow", "2026-02-30", "0001-01-01", "9999-12-31"])
def test_what_is_no_day_is_refused(wrong: str) -> None:
    with pytest.raises(CommandError, match="YYYY-MM-DD"):
        run("generate_csv", "--model", "testapp.Page", "--start", wrong)
