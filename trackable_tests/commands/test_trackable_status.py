"""The command shows how things stand, and fails when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from trackable import alarms, conf
from trackable.messaging import process_messages
from trackable.models import QuarantinedMessage
from trackable_tests.commands.running import run
from trackable_tests.counting import a_page, emit, emit_segment
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db

NOWHERE = "redis://127.0.0.1:1/0"


def failing(*arguments: str) -> tuple[str, str]:
    """Run the command, which must fail; return what it printed and the problems it named."""
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("trackable_status", *arguments, stdout=out)
    assert caught.value.returncode == 1
    return out.getvalue(), str(caught.value)


def age_the_journal(seconds: int) -> None:
    conf.journal_dir().mkdir(parents=True, exist_ok=True)
    created = int((time.time() - seconds) * 1000)
    (conf.journal_dir() / f"{created:012x}{'0' * 20}.sealed").write_bytes(b"x" * 100)


@pytest.mark.django_db(transaction=True)
def test_site_at_work_is_well() -> None:
    page = a_page()
    emit(page, times=3)
    process_messages()
    emit(page)
    said = run("trackable_status")
    assert said.out.startswith("trackable is well")
    assert "1 open, 0 sealed, 0 shipped, 1 folded" in said.out
    assert "3 folded" in said.out
    assert said.err == ""


def test_json_is_one_object() -> None:
    found = json.loads(run("trackable_status", "--json").out)
    assert found["ok"] is True
    assert found["broker"] is None
    assert found["databases"]["default"]["last_hour"]["increments"] == 0


def test_old_increments_are_a_failure_with_its_cure(settings: Any) -> None:
    settings.TRACKABLE_COLLECTION_PERIOD = 60
    age_the_journal(419)
    run("trackable_status")
    age_the_journal(430)
    out, problem = failing()
    assert out.startswith("trackable has problems (max-age)")
    assert problem.startswith("1 problem\nmax-age: increments wait here for 7 min")
    assert "Cure: see that folds run" in problem
    run("trackable_status", "--max-age", "500")


def test_json_is_printed_before_the_failure() -> None:
    age_the_journal(100)
    out, problem = failing("--json", "--max-age", "50")
    assert json.loads(out)["problems"][0]["name"] == "max-age"
    assert "max-age" in problem


def test_full_journal_is_a_failure(settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 1000
    age_the_journal(1)
    run("trackable_status")
    assert "max-journal" in failing("--max-journal", "9%")[1]


def test_quarantine_is_a_failure_if_so_asked() -> None:
    QuarantinedMessage.objects.create(
        batch_id="b", data_class="x", reason="r", quarantined_at="2026-01-01T00:00Z"
    )
    assert "1 message of 0 increments" in run("trackable_status").out
    assert "max-quarantined" in failing("--max-quarantined", "0")[1]


def test_dropped_increments_are_a_failure(caplog: Any) -> None:
    alarms.sound(conf.journal_dir(), alarms.JOURNAL, "full")
    assert "increments were dropped 0 s ago" in failing()[1]


def test_what_waits_while_nobody_folds_is_a_failure() -> None:
    emit_segment(a_page())
    age_the_journal(100)
    run("trackable_status")
    assert "there was no fold yet" in failing("--max-fold-age", "60")[1]


def test_broker_that_is_away_hides_no_other_part(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = NOWHERE
    out, problem = failing()
    assert "Database default" in out
    assert "the broker cannot be asked" in problem
    assert "correct TRACKABLE_BROKER_URL" in problem


def test_depth_of_a_queue_is_a_failure_if_so_asked(real_broker_url: str) -> None:
    emit_segment(a_page())
    run("ship_trackable_journal")
    assert "1 message in " in run("trackable_status", "--max-depth", "1").out
    assert "max-depth: 1 message in the queue of testapp" in failing("--max-depth", "0")[1]


def test_database_that_fails_hides_no_other_part() -> None:
    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        return execute(sql.replace("trackable_ledgerentry", "no_such_table"), *args)

    with connection.execute_wrapper(refuse):
        out, problem = failing()
    assert "failed: " in out
    assert "This machine" in out
    assert "no_such_table" in problem
    assert "'migrate'" in problem


def test_journal_that_cannot_be_read_hides_no_other_part(settings: Any, tmp_path: Any) -> None:
    (tmp_path / "file").touch()
    settings.TRACKABLE_JOURNAL_DIR = str(tmp_path / "file")
    out, problem = failing()
    assert "Database default" in out
    assert "the journal cannot be asked" in problem


def test_settings_that_are_wrong_are_named(settings: Any) -> None:
    settings.TRACKABLE_COLLECTION_PERIOD = "often"
    with pytest.raises(CommandError, match="TRACKABLE_COLLECTION_PERIOD is no number"):
        run("trackable_status")


@for_each("option", ["--max-age=0", "--max-journal=101", "--max-depth=-1", "--max-quarantined=few"])
def test_wrong_option_is_refused(option: str) -> None:
    with pytest.raises(CommandError, match=option.partition("=")[0]):
        run("trackable_status", option)


def run_apart(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "django", "trackable_status", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--max-age=50",), 1), (("--x",), 2)])
@pytest.mark.django_db(transaction=True)
def test_exit_codes(
    arguments: tuple[str, ...], code: int, child_environment: Callable[..., dict[str, str]]
) -> None:
    age_the_journal(100)
    ended = run_apart(child_environment(), "-v0", *arguments)
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    assert bool(ended.stderr) == bool(code)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_errors_of_system_checks_hide_nothing(
    child_environment: Callable[..., dict[str, str]],
) -> None:
    ended = run_apart(child_environment(TRACKABLE_MISSPELT=1))
    assert ended.stdout.startswith("trackable is well"), ended.stderr


@for_each(
    "command, option, text, what",
    [
        ("trackable_status", "--max-age", "1h", "a number of seconds above 0"),
        ("trackable_status", "--max-fold-age", "nan", "a number of seconds above 0"),
        ("trackable_status", "--max-journal", "much", "a percentage above 0 and at most 100"),
        ("trackable_status", "--max-journal", "101%", "a percentage above 0 and at most 100"),
        ("trackable_status", "--max-depth", "-1", "a whole number of at least 0"),
        ("fold_trackable_messages", "--watch", "0", "a number of seconds above 0"),
        ("fold_trackable_messages", "--max-messages", "1.5", "a whole number of at least 1"),
    ],
)
def test_an_option_that_is_no_number_says_which_it_takes(
    command: str, option: str, text: str, what: str
) -> None:
    with pytest.raises(CommandError, match=f"{option}: '{text}' is not {what}"):
        run(command, f"{option}={text}")
