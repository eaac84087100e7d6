"""The command folds once or goes on, says what it folded, and survives what may pass."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, close_old_connections

from trackable.exceptions import BrokerUnavailable, LedgerRefused
from trackable.folding.collect import collect
from trackable.folding.engine import FoldReport
from trackable.management.commands import fold_trackable_messages as module
from trackable.management.stopping import Stop
from trackable_tests.commands.running import run
from trackable_tests.counting import a_page, emit, emit_segment, total
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import PageData, PageTotals

pytestmark = pytest.mark.django_db

FOREVER_SECONDS = 60
TIMEOUT_SECONDS = 30


def fold(*labels: str, **options: Any) -> Any:
    return run("fold_trackable_messages", *labels, **options)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens in the pauses of a watch, one after the other; then a signal comes."""
    actions: list[Callable[[], object]] = []

    def pause(stop: Stop, seconds: float) -> None:
        if actions:
            actions.pop(0)()
        else:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Stop, "wait", pause)
    # Would close the connection in the test's own transaction.
    monkeypatch.setattr(module, "close_old_connections", lambda: None)
    monkeypatch.setattr(module.connections, "close_all", lambda: None)
    return actions


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Exception | None]]:
    """What the next folds raise instead of folding."""
    errors: list[Exception | None] = []

    def collect_or_fail(*args: Any, **kwargs: Any) -> FoldReport:
        if errors and (error := errors.pop(0)):
            raise error
        return collect(*args, **kwargs)

    monkeypatch.setattr(module, "collect", collect_or_fail)
    yield errors
    assert errors == []


def test_it_folds_and_says_what() -> None:
    emit(a_page(), times=3)
    said = fold()
    assert said.out.startswith("Folded 3 increments in 0.")
    assert said.out.endswith(" s, filtered 0, quarantined 0, batches 1\n")
    assert (said.err, total(PageData)) == ("", 3)


def test_nothing_to_fold_is_said_too() -> None:
    assert fold().out.endswith(" s, filtered 0, quarantined 0\n")


def test_only_the_named_classes_are_folded() -> None:
    page = a_page()
    emit(page)
    emit(page, data_cls=PageTotals)
    fold("testapp.PageTotals")
    assert (total(PageData), total(PageTotals)) == (0, 1)


def test_no_more_than_so_many_batches_are_folded() -> None:
    page = a_page()
    for _ in range(3):
        emit_segment(page)
    fold(max_messages=2)
    assert total(PageData) == 2


def test_quarantine_is_pointed_to() -> None:
    page = a_page()
    emit(page, "revenue", value=9_999_999_999)
    emit_segment(page, "revenue", value=9_999_999_999)
    said = fold()
    assert "quarantined 1" in said.out
    assert "admin" in said.err


def test_report_names_what_is_not_zero() -> None:
    report = FoldReport(7, 2, 1, filtered=3, dropped=4, quarantined=5)
    assert module.describe(report, 1.5) == (
        "Folded 7 increments in 1.50 s, filtered 3, quarantined 5, dropped 4, batches 2,"
        " duplicate batches 1"
    )


@for_each(
    "label, cure",
    [
        ("testapp.PageDta", "Did you mean testapp.PageData"),
        ("testapp.Page", "no data class. Did you mean testapp.PageData"),
        ("nonsense", "'nonsense' is unknown"),
        ("\x1b[31m.x", r"'\\x1b\[31m.x' is unknown"),
    ],
)
def test_what_is_no_data_class_is_refused(label: str, cure: str) -> None:
    with pytest.raises(CommandError, match=cure):
        fold(label)


@for_each("wrong", [["--watch", "0"], ["--watch", "nan"], ["--max-messages", "0"]])
def test_wrong_numbers_are_refused(wrong: list[str]) -> None:
    with pytest.raises(CommandError):
        fold(*wrong)


@for_each(
    "error, cure",
    [
        (
            BrokerUnavailable("refused\x1b"),
            r"\(refused\\x1b\).*start it, or correct TRACKABLE_BROK",
        ),
        (OperationalError("no such table"), r"no such table.*'migrate'"),
        (LedgerRefused("the ledger"), "the ledger"),
        (PermissionError(13, "Permission denied"), "journal in .* cannot be used"),
    ],
)
def test_failure_ends_it_with_the_cure(error: Exception, cure: str, failing: Any) -> None:
    failing.append(error)
    with pytest.raises(CommandError, match=cure) as caught:
        fold()
    assert caught.value.returncode == 1


def test_broker_that_is_away_is_a_failure(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError, match="The broker does not answer"):
        fold()


def test_watch_goes_on_until_a_signal(between: Any) -> None:
    page = a_page()
    between += [lambda: emit_segment(page), lambda: None, lambda: emit_segment(page, times=2)]
    said = fold(watch=FOREVER_SECONDS)
    assert [line.partition(" in ")[0] for line in said.out.splitlines()] == [
        "Folded 1 increment",
        "Folded 2 increments",
    ]
    assert total(PageData) == 3


@for_each("error", [BrokerUnavailable("away"), OperationalError("gone"), OSError("full")])
def test_watch_survives_a_failure(error: Exception, between: Any, failing: Any) -> None:
    emit(a_page())
    failing += [error, error]
    between += [lambda: None, lambda: None]
    said = fold(watch=FOREVER_SECONDS)
    assert said.err.count("The next attempt follows.") == 2
    assert total(PageData) == 1


def test_watch_waits_for_other_processes_in_its_first_round_only(
    between: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []
    monkeypatch.setattr(
        module, "collect", lambda *args, wait, **kwargs: waits.append(wait) or FoldReport()
    )
    between += [lambda: None, lambda: None]
    fold(watch=FOREVER_SECONDS)
    assert waits == [True, False, False]


def test_watch_gives_up_connections_that_are_too_old(
    between: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.close_old_connections is not close_old_connections
    closed: list[bool] = []
    monkeypatch.setattr(module, "close_old_connections", lambda: closed.append(True))
    between.append(lambda: None)
    fold(watch=FOREVER_SECONDS)
    assert len(closed) == 2


def test_signal_ends_a_long_fold_between_two_transactions(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACKABLE_FOLD_MAX_COUNTERS = 1
    page = a_page()
    for _ in range(3):
        emit_segment(page)
    describe = module.describe
    reports: list[str] = []
    monkeypatch.setattr(module, "describe", lambda *told: reports.append(describe(*told)) or "")
    monkeypatch.setattr(
        module.progress, "bar", lambda **options: Bar(lambda: signal.raise_signal(signal.SIGINT))
    )
    with pytest.raises(CommandError, match="Interrupted") as caught:
        fold()
    assert (caught.value.returncode, total(PageData)) == (130, 1)
    assert reports[0].startswith("Folded 1 increment ")


class Bar:
    """A progress bar that does something else."""

    n = 0

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def update(self, number: int) -> None:
        self.action()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watching_process_folds_and_ends_well(
    number: int, child_environment: Callable[..., dict[str, str]]
) -> None:
    page = a_page()
    emit_segment(page)
    command = [sys.executable, "-W", "error", "-m", "django", "fold_trackable_messages"]
    with subprocess.Popen(
        [*command, "--watch", "0.05"],
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        first = process.stdout.readline()
        emit_segment(page, times=2)
        second = process.stdout.readline()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (first[:19], second[:19]) == ("Folded 1 increment ", "Folded 2 increments")
    assert (rest, errors, process.returncode, total(PageData)) == ("", "", 0, 3)
