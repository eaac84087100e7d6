"""The matrix runs what is asked for, each once, and ends with the worst of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from trackable_tests.faults import matrix, plan, report
from trackable_tests.faults.__main__ import parse
from trackable_tests.faults.matrix import Job
from trackable_tests.faults.pairings import BROKERS, DATABASES, Pairing
from trackable_tests.faults.report import EXACT, NOT_EXACT, UNUSABLE
from trackable_tests.faults.run import Result
from trackable_tests.faults.sabotage import SABOTAGES


def names(*arguments: str) -> Counter[str]:
    return Counter(job.name for job in matrix.jobs(parse(arguments)))


def found() -> dict[str, Any]:
    """Return the report of a run in which nothing happened."""
    return report.as_json(Result(plan.make(1, Pairing(), 1, 1.0), None))


def test_all_is_every_pairing() -> None:
    assert names("--all") == Counter(f"{d} x {b}" for d in DATABASES for b in BROKERS)


def test_the_short_form_has_every_database_and_every_sabotage() -> None:
    found = names("--short", "--sabotages")
    pairings = found.keys() - SABOTAGES.keys()
    assert {name.split(" x ")[0] for name in pairings} == set(DATABASES)
    assert found == Counter([*pairings, *SABOTAGES])


def test_the_long_form_is_complete_and_others_need_not_be() -> None:
    def must_be_complete(*arguments: str) -> set[bool]:
        return {"--complete" in job.arguments for job in matrix.jobs(parse(arguments))}

    assert must_be_complete("--all") == must_be_complete("--all", "--kills", "200") == {True}
    assert must_be_complete("--short") == must_be_complete("--all", "--kills", "7") == {False}
    assert must_be_complete("--all", "--seconds", "7") == {False}


def test_a_run_that_is_not_complete_says_that_it_is_unusable() -> None:
    outcome = matrix.outcome_of(Job("a run", ()), UNUSABLE, json.dumps(found()), "", as_json=False)
    assert "UNUSABLE" in outcome.text


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [([], EXACT), ([0, 2], UNUSABLE), ([0, 2, 1], NOT_EXACT), ([0, -9], NOT_EXACT)],
)
def test_the_worst_is_what_has_failed(statuses: list[int], worst: int) -> None:
    assert matrix.worst_of(statuses) == worst


def test_a_run_gets_the_kills_and_seconds_that_were_asked_for() -> None:
    for job in matrix.jobs(parse(["--all", "--kills", "7", "--seconds", "2"])):
        assert job.arguments[-4:] == ("--kills", "7", "--seconds", "2.0")


@pytest.mark.parametrize("status", [1, 2])
def test_a_run_that_reports_nothing_has_failed(status: int) -> None:
    outcome = matrix.outcome_of(Job("a run", ()), status, "", "redis is missing", as_json=False)
    assert outcome.status == status
    assert "redis is missing" in outcome.text
    assert matrix.outcome_of(Job("a run", ()), 0, "", "", as_json=False).status == 1
