"""The command imports what its options say, and says what became of every hit."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError

from trackable.folding import upsert
from trackable.hitcounts import totals
from trackable_tests.commands.running import run
from trackable_tests.counting import a_page, counts, total
from trackable_tests.hitcounts.tables import (
    CRAWLER,
    FIRST,
    HitCount,
    a_history,
    clean_up,
    hit,
    total_of,
)
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Link, PageData, PageTotals

pytestmark = pytest.mark.django_db

TARGET = "testapp.Page:views"


def numbers_of(out: str) -> dict[str, int]:
    """Return what the command printed, without its last line."""
    return {line[:26].strip(): int(line[26:]) for line in out.splitlines()[:-1]}


def error_of(*arguments: str, **options: Any) -> str:
    with pytest.raises(CommandError) as caught:
        run("import_hitcounts", *arguments, **options)
    return str(caught.value)


def test_it_says_what_became_of_every_hit() -> None:
    a_history("a")
    a_history("gone").delete()
    hit(HitCount.objects.order_by("pk")[0], FIRST + timedelta(days=1), agent=CRAWLER)
    clean_up(FIRST + timedelta(hours=1))
    said = run(
        "import_hitcounts",
        *[TARGET, "--remainder-on", "2020-01-01", "--without-crawlers"],
        *["--before", (FIRST + timedelta(days=2)).isoformat()],
    )
    assert numbers_of(said.out) == {
        "objects": 1,
        "hits by their time": 2,
        "hits without a time": 1,
        "objects that are gone": 1,
        "hits on these, left out": 6,
        "of crawlers, left out": 1,
        "later, left out": 3,
    }
    assert said.out.endswith("Hits before 2026-03-06 22:30:00 UTC are imported.\n")
    assert total(PageData) == 3


def test_it_names_what_is_not_imported() -> None:
    a_history()
    hit(total_of(Link(pk=7)), times=3)
    HitCount.objects.create(content_type_id=9999, object_pk=1, hits=4, modified=FIRST)
    assert run("import_hitcounts", TARGET).err == (
        "Not imported: 4 hits on 1 object of content type 9999, which is unknown.\n"
        "Not imported: 3 hits on 1 object of testapp.link.\n"
    )


def test_the_data_class_can_be_named_and_a_dry_run_changes_nothing() -> None:
    a_history()
    options = {"data_class": "testapp.PageTotals"}
    assert "would be imported" in run("import_hitcounts", TARGET, dry_run=True, **options).out
    assert counts(PageTotals) == {}
    run("import_hitcounts", TARGET, **options)
    assert (total(PageTotals), total(PageData)) == (6, 0)


@for_each(
    "arguments, expected",
    [
        (["testapp.Page"], "names no counter: write app.Model:counter"),
        (["testapp.Pages:views"], "is no model. Did you mean testapp.Page?"),
        (["testapp.Page:vews"], "Did you mean views?"),
        ([TARGET, "--data-class", "testapp.LinkData"], "does not count for testapp.Page"),
        ([TARGET, "--database", "othr"], "'othr' is no database. Did you mean other?"),
        ([TARGET, "--totals-table", "x\x1b"], r"no table x\x1b"),
        ([TARGET, "--since", "7d"], "'7d' is no time: write 2026-11-21T09:30"),
        ([TARGET, "--since", "1960-01-01"], "before any hit"),
        ([TARGET, "--remainder-on", "yesterday"], "write YYYY-MM-DD, oldest or none"),
        ([TARGET], "--remainder-on"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_cure(arguments: list[str], expected: str) -> None:
    total_of(a_page(), 3)
    assert expected in error_of(*arguments)


def test_signal_ends_it_between_two_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    for slug in "abc":
        a_history(slug)
    monkeypatch.setattr(totals, "GROUP_SIZE", 1)
    add = upsert.add

    def add_and_signal(*args: Any) -> None:
        add(*args)
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(upsert, "add", add_and_signal)
        assert error_of(TARGET).startswith("Interrupted. What was imported is noted")
    assert total(PageData) == 6
    run("import_hitcounts", TARGET)
    assert total(PageData) == 18


def test_failing_database_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("gone\x1b")

    a_history()
    monkeypatch.setattr(upsert, "add", fail)
    assert error_of(TARGET) == (
        r"The database refuses: gone\x1b What was imported is noted: run it again to go on"
        " behind it."
    )
