"""The command converts what its options say, and says how to go on."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError

from trackable.conversion import adding as module
from trackable_tests.commands.running import Said, run
from trackable_tests.conversion.old import old_hits
from trackable_tests.counting import counts, total
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page, PageData, PageTotals

pytestmark = pytest.mark.django_db

DEFAULTS = {
    "update_fields": "hits:views",
    "key_fields": "day:collected_during",
    "link_field": "page",
}


def convert(data_class: str = "testapp.PageData", **options: Any) -> Said:
    return run("convert_tracking_data", "testapp.OldHits", data_class, **DEFAULTS | options)


def error_of(*arguments: str, **options: Any) -> str:
    with pytest.raises(CommandError) as caught:
        run("convert_tracking_data", *arguments, **DEFAULTS | options)
    return str(caught.value)


def test_it_says_what_it_converted() -> None:
    old_hits(3)
    old_hits(1, page=None)
    assert convert().numbers == {
        "converted before": 0,
        "converted": 3,
        "without object": 1,
        "without time": 0,
        "left out as unfit": 0,
    }
    assert convert().numbers["converted before"] == 4
    assert total(PageData) == 6


def test_old_command_line_works() -> None:
    old_hits(3, slug="b")
    Page.objects.create(slug="b")
    run(
        "convert_tracking_data",
        *["testapp.OldHits", "testapp.PageData", "--update-fields", "hits:views,hits:clicks"],
        *["--key-fields", "day:collected_during", "--match-spec", "slug:testapp.Page"],
        *["--order-by=-hits,day", "--max-records", "2"],
    )
    slugs = {page.pk: page.slug for page in Page.objects.all()}
    assert sorted((slugs[key], views) for (key, _), views in counts(PageData).items()) == [
        ("b", 2),
        ("b", 3),
    ]


def test_namesakes_need_no_pair() -> None:
    old_hits(1, slug="a")
    error = error_of("testapp.OldHits", "testapp.PageData", update_fields="views")
    assert "testapp.OldHits has no 'views'" in error
    convert("testapp.PageTotals", key_fields=None, match_spec="slug:testapp.Page:slug")
    assert total(PageTotals) == 1


def test_dry_run_says_what_it_would_do() -> None:
    old_hits(3)
    assert convert(dry_run=True).numbers["would be converted"] == 3
    assert counts(PageData) == {}


def test_unfit_records_are_shown_without_harm() -> None:
    old_hits(8, slug="\x1b[31m")
    said = convert(update_fields="slug:views", skip_unfit=True)
    assert said.numbers["left out as unfit"] == 8
    assert said.err.count("Left out. Record ") == 5
    assert r"\x1b[31m" in said.err
    assert "\x1b" not in said.err


def test_unfit_record_says_what_is_done() -> None:
    old_hits(2)
    old_hits(1, hits=1 << 30)
    old_hits(1, hits=1 << 30)
    old_hits(1, slug="x")
    error = error_of(
        "testapp.OldHits", "testapp.PageData", update_fields="slug:views", batch_size=1
    )
    assert "0 records are done: run it again" in error


def test_failing_database_says_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("gone\x1b")

    old_hits(3)
    convert(max_records=2)
    monkeypatch.setattr(module.upsert, "add", fail)
    error = error_of("testapp.OldHits", "testapp.PageData")
    assert error == (
        r"The database refuses: gone\x1b"
        " 2 records are done: run it again to go on behind them."
    )


def test_signal_ends_it_between_two_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    old_hits(5)
    add = module.upsert.add

    def add_and_signal(*args: Any) -> None:
        add(*args)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(module.upsert, "add", add_and_signal)
    with pytest.raises(CommandError, match=r"Interrupted\. 2 records are done") as caught:
        convert(batch_size=2)
    assert (caught.value.returncode, total(PageData)) == (130, 3)
    monkeypatch.setattr(module.upsert, "add", add)
    convert()
    assert total(PageData) == 15


@for_each(
    "arguments, options, cure",
    [
        (["testapp.OldHit", "testapp.PageData"], {}, "Did you mean testapp.OldHits?"),
        (["testapp.OldHits", "testapp.PageDat"], {}, "Did you mean testapp.PageData"),
        (["testapp.OldHits", "testapp.Page"], {}, "no data class"),
        (["testapp.PageData", "testapp.PageData"], {"link_field": "parent"}, "themselves"),
        (["testapp.OldHits", "testapp.PageData"], {"update_fields": "hits:veiws"}, "views?"),
        (["testapp.OldHits", "testapp.PageData"], {"key_fields": "day:object_id"}, "alone"),
        (["testapp.OldHits", "testapp.PageData"], {"key_fields": None}, "say when"),
        (["testapp.OldHits", "testapp.PageData"], {"link_field": "hits"}, "use --match-spec"),
        (["testapp.OldHits", "testapp.PageData"], {"match_spec": "slug"}, "OLD:app.Model"),
        (["testapp.OldHits", "testapp.PageData"], {"match_spec": "slug:a.B"}, "is no model"),
        (
            ["testapp.OldHits", "testapp.PageData"],
            {"match_spec": "slug:testapp.Link:code"},
            "does not count for",
        ),
        (["testapp.OldHits", "testapp.PageData"], {"match_spec": "slug:testapp.Page:x"}, "'x'"),
        (["testapp.OldHits", "testapp.PageData"], {"order_by": "x"}, "--order-by"),
    ],
)
def test_wrong_options_are_refused_with_the_cure(
    arguments: list[str], options: dict[str, Any], cure: str
) -> None:
    old_hits(1)
    assert cure in error_of(*arguments, **options)
    assert counts(PageData) == {}
