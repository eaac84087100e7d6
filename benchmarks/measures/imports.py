"""What trackable adds to the start of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from benchmarks.lab import Lab
from benchmarks.measuring import Contenders, Target, measure

SETUP = """
import time
started = time.perf_counter()
import django
from django.conf import settings
apps = ["admin", "auth", "contenttypes", "sessions", "messages", "staticfiles"]
settings.configure(
    INSTALLED_APPS=[*(f"django.contrib.{{app}}" for app in apps), *{apps!r}],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
)
django.setup()
print(time.perf_counter() - started)
"""
IMPORT = """
import time
started = time.perf_counter()
import trackable
print(time.perf_counter() - started)
"""


def milliseconds(code: str) -> float:
    """Return the time that a new process prints.

    It may write bytecode: where that is forbidden, only what is not installed would be compiled
    each time.
    """
    command, env = [sys.executable, "-c", code], {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return float(run.stdout) * 1000


@measure(
    "imports",
    title="the start of a process",
    unit="ms",
    turns=4,
    budget_seconds=20,
    targets=(
        Target("django.setup() with trackable", "django.setup()", at_most=1.1),
        Target("import trackable", "django.setup()", at_most=0.1),
    ),
    note="With the apps that `startproject` enters, in a new process each time.",
)
def start_of_a_process(lab: Lab) -> Iterator[Contenders]:
    yield {
        "django.setup() with trackable": partial(milliseconds, SETUP.format(apps=["trackable"])),
        "django.setup()": partial(milliseconds, SETUP.format(apps=[])),
        "import trackable": partial(milliseconds, IMPORT),
    }
