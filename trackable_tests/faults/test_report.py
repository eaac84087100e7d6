"""A report says what a run has not tested."""

from __future__ import annotations

from collections import Counter
from typing import Any

from trackable_tests.faults import plan, report
from trackable_tests.faults.pairings import Pairing
from trackable_tests.faults.run import Result

SERVERS = Pairing("postgresql", "redis")


def with_faults(pairing: Pairing, *faults: str) -> dict[str, Any]:
    return report.as_json(Result(plan.make(1, pairing, 1, 1.0), None, faults=Counter(faults)))


def test_a_run_in_which_nothing_happened_has_missed_everything() -> None:
    assert sorted(report.missed(with_faults(SERVERS))) == sorted(SERVERS.names())


def test_points_and_kinds_that_were_had_are_not_missed() -> None:
    found = with_faults(SERVERS, "before-acks stop", "database kill", "folder stop")
    had = {"before-acks", "postgresql kill", "folder stop"}
    assert set(report.missed(found)) == set(SERVERS.names()) - had


def test_a_cut_was_had_once_the_proxy_has_made_it() -> None:
    told = with_faults(SERVERS, "database cut-before-commit")
    done = with_faults(SERVERS, "database proxy: commit lost")
    assert "database cut-before-commit" in told["kinds_not_had"]
    assert "database cut-before-commit" not in done["kinds_not_had"]


def test_several_runs_have_missed_what_none_of_them_had() -> None:
    files = with_faults(Pairing("sqlite", "filesystem"), "before-acks kill", "broker flush")
    servers = with_faults(SERVERS, "broker kill")
    missed = report.missed_by_all([files, servers])
    assert {"postgresql kill", "redis restart-empty", "after-ack"} <= set(missed)
    assert not {"before-acks", "broker flush", "broker kill"} & set(missed)


def test_the_command_repeats_what_came_first() -> None:
    made = plan.make(1, SERVERS, 1, 1.0, first=["database freeze", "before-acks"])
    assert "--first 'database freeze,before-acks'" in report.command_of(Result(made, None))
