"""Programs: gunicorn, Celery's worker and our own commands, as they are run in production."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.children import ROOT
from trackable_tests.faults.servers import guard


@contextmanager
def running(
    *command: str, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of Python's with its arguments, and kill it and its children at the end."""
    guarded = [sys.executable, "-I", "-S", str(guard.__file__), sys.executable, "-m", *command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            guarded,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
    with process:  # leaving it closes the pipe to the guard
        yield process
