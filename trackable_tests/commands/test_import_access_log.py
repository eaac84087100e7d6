"""The command imports what its options select, and says what became of every line."""

from __future__ import annotations

import gzip
import io
import os
import signal
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from trackable.accesslog import importing
from trackable.journal import writer
from trackable.messaging import process_messages
from trackable_tests.accesslog.logs import line, write_log
from trackable_tests.commands.running import Said, run
from trackable_tests.counting import counts, total
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Page,
    PageData,
    PageHours,
    PageParentData,
    Target,
    TargetData,
)

pytestmark = pytest.mark.django_db

ROUTE = "/blog/<slug:slug>/"
DEFAULTS = {"pattern": ROUTE, "field": "views", "model": "testapp.Page"}


@pytest.fixture(autouse=True)
def _page() -> Iterator[None]:
    Page.objects.create(slug="a")
    yield
    writer.close()


@pytest.fixture
def log(tmp_path: Path) -> str:
    return write_log(tmp_path / "access.log", line("/blog/a/?utm=1"), line("/blog/b/"), b"\x1b[0m")


def import_log(*files: str, **options: Any) -> Said:
    return run("import_access_log", *files, **DEFAULTS | options)


def error_of(*files: str, **options: Any) -> str:
    with pytest.raises(CommandError) as caught:
        import_log(*files, **options)
    return str(caught.value)


def test_every_line_is_accounted_for(log: str) -> None:
    said = import_log(log)
    assert said.numbers == {
        "lines read": 3,
        "counted": 1,
        "filtered": 0,
        "unmatched": 0,
        "missing": 1,
        "unparsable": 1,
    }
    assert said.err.splitlines() == [
        rf"{log!r}, line 3 is no line of an access log: '\x1b[0m'",
        "'/blog/b/' is not counted: no such object",
    ]


def test_one_fold_afterwards_counts_all(log: str) -> None:
    import_log(log)
    assert run("fold_trackable_messages").out.startswith("Folded 1 increment in ")
    assert list(counts(PageData).values()) == [1]


def test_several_files_are_added_up(tmp_path: Path) -> None:
    names = [write_log(tmp_path / name, line("/blog/a/")) for name in ("1", "2")]
    Path(names[1]).write_bytes(gzip.compress(Path(names[1]).read_bytes()))
    assert import_log(*names).numbers["counted"] == 2


def test_standard_input_may_be_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(gzip.compress(line("/blog/a/")))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    assert import_log("-").numbers["counted"] == 1


def test_nothing_is_said_without_verbosity(log: str) -> None:
    assert import_log(log, verbosity=0) == Said("", "")


def test_first_data_class_with_the_counter_counts(log: str) -> None:
    import_log(log, field="clicks")
    process_messages()
    assert (total(PageData, "clicks"), total(PageParentData)) == (1, 0)


@pytest.mark.parametrize("data_cls", [PageHours, PageParentData])
def test_data_class_can_be_chosen(data_cls: Any, log: str) -> None:
    import_log(log, data_class=data_cls._meta.label, model=None)
    process_messages()
    assert (total(data_cls), total(PageData)) == (1, 0)


def test_regular_expression_and_lookup_select_too(log: str) -> None:
    said = import_log(log, pattern=r"^/blog/(\w+)/$", lookup="slug")
    assert (said.numbers["counted"], said.numbers["missing"]) == (1, 1)


def test_status_and_method_exclude(tmp_path: Path) -> None:
    lines = [line("/blog/a/", status=status) for status in (200, 204, 304, 404)]
    log = write_log(tmp_path / "a", *lines, line("/blog/a/", method="HEAD"))
    numbers = import_log(log, status="2xx,304", method="GET").numbers
    assert (numbers["counted"], numbers["excluded"]) == (3, 2)


def test_options_are_read_from_a_command_line(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a", line("/blog/a/"), line("/blog/a/", status=404))
    arguments = [log, "--pattern", ROUTE, "--field", "views", "--data-class", "testapp.PageData"]
    said = run("import_access_log", *arguments, "--status", "200,3xx", "--method", "get")
    assert said.numbers["counted"] == 1


def test_missing_objects_are_made_on_request(log: str) -> None:
    assert import_log(log, create=True).numbers["counted"] == 2
    assert Page.objects.filter(slug="b").exists()


@for_each("zone, day", [(None, 17), ("Asia/Kolkata", 18), ("log", 18), ("America/New_York", 17)])
def test_time_zone_says_where_days_begin(zone: str | None, day: int, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a", line("/blog/a/", time="18/May/2015:00:30:00 +0530"))
    import_log(log, time_zone=zone)
    process_messages()
    assert [key[1] for key in counts(PageData)] == [date(2015, 5, day)]
    assert timezone.get_current_timezone_name() == "UTC"


def test_skip_leaves_out_what_is_counted(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a", line("/blog/a/"), line("/blog/a/"), line("/blog/a/"))
    assert import_log(log, skip=2).numbers["counted"] == 1


def test_signal_ends_it_where_it_can_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = write_log(tmp_path / "a", *[line("/blog/a/")] * 10)
    monkeypatch.setattr(importing, "LINES_AT_ONCE", 4)
    monkeypatch.setattr(importing, "_check_room", lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(CommandError, match=r"Interrupted.*--skip 4\.") as caught:
        import_log(log)
    assert caught.value.returncode == 130
    monkeypatch.setattr(importing, "_check_room", lambda: None)
    import_log(log, skip=4)
    assert process_messages() == 10


def test_crowded_journal_ends_it_where_it_can_go_on(tmp_path: Path, settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 250_000
    log = write_log(tmp_path / "a", *[line("/blog/a/")] * 5000)
    error = error_of(log)
    assert "Run fold_trackable_messages" in error
    skip = int(error.rpartition("--skip ")[2].rstrip("."))
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 10_000_000
    import_log(log, skip=skip)
    assert process_messages() == 5000


def test_truncated_file_is_counted_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / name) for name in ("1", "2")]
    lines = [line("/blog/a/", agent=f"agent {number * 7919}") + b"\n" for number in range(500)]
    Path(names[0]).write_bytes(gzip.compress(b"".join(lines))[:-100])
    write_log(tmp_path / "2", line("/blog/a/"))
    with pytest.raises(CommandError, match="could not be read to the end"):
        call_command("import_access_log", *names, **DEFAULTS)
    assert "cannot be read to its end" in capsys.readouterr().err
    assert 400 < process_messages() < 501


@for_each(
    "options, cure",
    [
        ({"model": None}, "--model"),
        ({"model": "testapp.Pgae"}, "Did you mean testapp.Page"),
        ({"model": "testapp.Unregistered"}, "register a data class"),
        ({"field": "veiws"}, "Did you mean views?"),
        ({"data_class": "testapp.PageDate"}, "Did you mean testapp.PageData"),
        ({"data_class": "testapp.Page"}, "is no data class"),
        ({"data_class": "testapp.LinkData"}, "but for testapp.Link"),
        ({"data_class": "testapp.PageSizes", "field": "big", "model": None}, "counts for nothing"),
        ({"pattern": "/about/"}, "--lookup"),
        ({"pattern": "/<slug:sulg>/"}, "sulg"),
        ({"pattern": "^/("}, "no regular expression"),
        ({"status": "20x"}, "'20x' is no status code"),
        ({"status": "200,"}, "'' is no status code"),
        ({"time_zone": "Mars/Olympus"}, "Europe/Vienna"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_counted(
    options: dict[str, Any], cure: str, log: str
) -> None:
    assert cure in error_of(log, **options)
    assert process_messages() == 0


def test_unreadable_file_is_refused_before_anything_is_counted(log: str, tmp_path: Path) -> None:
    assert "No such file" in error_of(log, str(tmp_path / "none"))
    assert "directory" in error_of(log, str(tmp_path))
    assert process_messages() == 0


def test_file_that_is_named_twice_is_refused(log: str) -> None:
    same = str(Path(log).parent / "." / Path(log).name)
    assert "counted twice" in error_of(log, same)


def test_skip_is_a_number_of_lines(log: str) -> None:
    with pytest.raises(CommandError, match="--skip"):
        run("import_access_log", log, "--pattern", ROUTE, "--field", "views", "--skip=-1")


def test_pipe_is_read_from_its_start(tmp_path: Path) -> None:
    reader, writer_end = os.pipe()
    os.write(writer_end, line("/blog/a/") + b"\n")
    os.close(writer_end)
    try:
        assert import_log(f"/dev/fd/{reader}").numbers["counted"] == 1
    finally:
        os.close(reader)


def test_targets_are_counted_by_what_was_asked_for(tmp_path: Path) -> None:
    Target.objects.bulk_create(Target(path=path) for path in ("/a?b=1", "/a%20b", "/a"))
    log = write_log(tmp_path / "a", line("/a?b=1"), line("/a%20b"), line("/a%20b"), line("/a"))
    import_log(log, model="testapp.Target", pattern="^/.*", lookup="path", keep_query=True)
    process_messages()
    assert sorted(counts(TargetData).values()) == [1, 1, 2]
