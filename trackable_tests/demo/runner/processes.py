"""Child processes: each in a group of its own, and ended with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Final

STOP_TIMEOUT_SECONDS: Final = 10


class CommandFailed(Exception):
    """A management command has ended with an error, which it has printed."""


def manage(*arguments: str) -> list[str]:
    """Run a management command as anybody would, and return the lines that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "django", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is ours to pass on
    )
    try:
        output, _ = process.communicate()
    finally:
        stop(process)
    if process.returncode:
        raise CommandFailed(f"{arguments[0]} has ended with status {process.returncode}.\n{output}")
    return output.splitlines()


def stop(process: subprocess.Popen[str]) -> None:
    """End a process, in good order if that is quick, and wait for it."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # it leads a group of its own
        process.wait()
