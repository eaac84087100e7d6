"""The harness itself, in small: it is exact, it notices sabotage, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trackable_tests import shared
from trackable_tests.faults import report
from trackable_tests.faults.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.vendor("sqlite")]

RUN_SECONDS = 120
ROOT = Path(__file__).resolve().parent.parent.parent


def start(tmp_path: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trackable_tests.faults", "--json", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )


def outcome(tmp_path: Path, *arguments: object) -> tuple[int, dict[str, Any]]:
    process = start(tmp_path, *arguments)
    output, errors = process.communicate(timeout=RUN_SECONDS)
    assert output, errors
    return process.returncode, json.loads(output)


def test_a_short_run_is_exact_and_leaves_nothing(tmp_path: Path) -> None:
    status, found = outcome(tmp_path, "--kills", 10, "--seconds", 3)
    assert (status, found["exact"], found["lost"], found["doubled"]) == (0, True, 0, 0), found
    assert found["kills"] >= 10
    assert found["acknowledged"] > 100
    assert found["counted"] >= found["acknowledged"]
    assert list(tmp_path.iterdir()) == []


def test_a_sabotage_is_caught(tmp_path: Path) -> None:
    status, found = outcome(tmp_path, "--sabotage", "ledger-apart")
    assert (status, found["exact"]) == (0, False)
    assert report.verdict_on_sabotage(found)[0]
    assert found["lost"] > 0
    assert found["differences"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_harness_that_is_ended_takes_its_processes_along(tmp_path: Path, number: int) -> None:
    process = start(tmp_path, "--kills", 10, "--seconds", 30)
    pids = until(lambda: pids_of_children(tmp_path))
    process.send_signal(number)
    process.communicate(timeout=RUN_SECONDS)
    until(lambda: not any(map(shared.is_alive, pids)))
    if number == signal.SIGTERM:
        assert process.returncode == 128 + number


def pids_of_children(tmp_path: Path) -> list[int]:
    """Return the processes that have written a record, once there are some."""
    names = [path.name for path in tmp_path.rglob("*.record")]
    return [int(name.split("-")[3]) for name in names]
