"""What is a problem, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from trackable.status import Failed, Limits, Problem, Status, problems
from trackable.status.figures import Broker
from trackable_tests.status.making import (
    a_database,
    a_fold,
    a_journal,
    a_quarantine,
    a_status,
)
from trackable_tests.tables import for_each


def found(status: Status, **limits: Any) -> list[Problem]:
    return problems(status, Limits(**{"max_age_seconds": 100.0, **limits}))


def names(status: Status, **limits: Any) -> list[str]:
    return [problem.name for problem in found(status, **limits)]


def test_site_that_does_nothing_is_well() -> None:
    assert names(a_status(), max_depth=0, max_fold_age_seconds=1.0, max_quarantined=0) == []


def test_default_age_leaves_out_one_fold(settings: Any) -> None:
    settings.TRACKABLE_COLLECTION_PERIOD = 60
    assert Limits.default().max_age_seconds == 420


@for_each("age, expected", [(None, []), (100.0, []), (101.0, ["max-age"])])
def test_age_of_what_waits_here(age: float | None, expected: list[str]) -> None:
    assert names(a_status(a_journal(oldest_age_seconds=age))) == expected


@pytest.mark.parametrize(("percent", "expected"), [(80.0, []), (80.1, ["max-journal"])])
def test_size_of_the_journal(percent: float, expected: list[str]) -> None:
    assert names(a_status(a_journal(share_percent=percent))) == expected


@for_each("limit, expected", [(None, []), (5, []), (4, ["max-depth"])])
def test_depth_of_any_one_queue(limit: int | None, expected: list[str]) -> None:
    status = a_status(broker=Broker({"app.PageData": 5, "app.LinkData": 4}, {}))
    assert names(status, max_depth=limit) == expected


def test_number_in_the_quarantine() -> None:
    status = a_status(database=a_database(quarantine=a_quarantine(3)))
    assert names(status) == []
    assert names(status, max_quarantined=3) == []
    assert names(status, max_quarantined=2) == ["max-quarantined"]


OLD, NEW = a_database(last_fold=a_fold(500.0)), a_database(last_fold=a_fold(5.0))


@pytest.mark.parametrize("database", [OLD, a_database()], ids=["old fold", "no fold"])
def test_nobody_folds_what_waits(database: Any) -> None:
    waiting = a_journal(oldest_age_seconds=61.0)
    status = a_status(waiting, database=database)
    assert names(status, max_fold_age_seconds=60.0) == ["max-fold-age"]
    queued = a_status(broker=Broker({"app.PageData": 1}, {}), database=database)
    assert names(queued, max_fold_age_seconds=60.0) == ["max-fold-age"]


@for_each(
    "status",
    [
        a_status(database=OLD),
        a_status(a_journal(oldest_age_seconds=2.0), database=OLD),
        a_status(a_journal(oldest_age_seconds=61.0), database=NEW),
        a_status(broker=Broker({"app.PageData": 0}, {}), database=OLD),
    ],
)
def test_old_fold_alone_is_no_problem(status: Status) -> None:
    assert names(status, max_fold_age_seconds=60.0) == []


def test_every_part_that_failed_is_a_problem() -> None:
    away = Failed("refused")
    failures = found(a_status(away, away, away, away))
    assert [problem.name for problem in failures] == ["failed"] * 4
    assert "TRACKABLE_BROKER_URL" in str(failures[2])
    assert "the database default cannot be asked (refused)" in str(failures[3])


def test_refused_queue_is_a_problem() -> None:
    [problem] = found(a_status(broker=Broker({}, {"app.PageData": "other arguments"})))
    assert "app.PageData (other arguments)" in problem.text


def test_outages_are_problems_with_their_age() -> None:
    journal = a_journal(outages_met_seconds={"broker": 10.0, "journal": 130.0})
    dropped, away = found(a_status(journal))
    assert (dropped.name, away.name) == ("outage", "outage")
    assert "dropped 2 min ago" in dropped.text
    assert "away 10 s ago" in away.text


def test_problem_is_one_line_with_its_cure() -> None:
    [problem] = found(a_status(a_journal(oldest_age_seconds=7200.0)))
    assert str(problem).startswith("max-age: increments wait here for 2 h, more than 1 min. Cure: ")
    assert "\n" not in str(problem)
