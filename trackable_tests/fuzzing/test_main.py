"""``python -m trackable_tests.fuzzing``: what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from trackable_tests.fuzzing.__main__ import Outcome, _fuzz, main
from trackable_tests.fuzzing.seeds import seeds
from trackable_tests.fuzzing.targets import TARGETS

LOG = """
#2\tINITED cov: 71 ft: 71 corp: 1/1b
#9\tNEW    cov: 93 ft: 99 corp: 2/2b
stat::number_of_executed_units: 193581
stat::average_exec_per_sec:     2889
stat::peak_rss_mb:              89
"""


def test_without_atheris_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main([]) == 2
    assert "pip install --group fuzz" in capsys.readouterr().err


def test_a_target_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert _fuzz(["decoder", "encoder"], 1) == 2
    assert capsys.readouterr().err.startswith("No targets: encoder. There are decoder, ")


def test_a_line_has_what_a_target_did() -> None:
    outcome = Outcome("decoder", 0, LOG, [])
    assert outcome.is_well
    assert " ".join(outcome.line().split()) == "decoder 193581 2889 71 to 93 89 MB 0"


@pytest.mark.parametrize(("returncode", "crashes"), [(0, [Path("crash-1")]), (-9, [])])
def test_a_crash_is_no_success(returncode: int, crashes: list[Path]) -> None:
    assert not Outcome("decoder", returncode, LOG, crashes).is_well


def test_each_target_has_seeds() -> None:
    assert seeds().keys() == TARGETS.keys()
    assert all(seeds().values())
