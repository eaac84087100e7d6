"""What an emit costs, beside the floor and beside what a user would do in the request instead.

Contenders run in turn, A B C A B C ..., after a warm-up; figures are medians over the rounds, and
ratios of one run. ``python -m benchmarks.emit [--rounds N]``; PostgreSQL takes part if
``TRACKABLE_TEST_DATABASE=postgresql``.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackable_tests.settings")
django.setup()

from django.db import connection  # noqa: E402
from django.db.models import F  # noqa: E402
from django.test.utils import override_settings  # noqa: E402

from trackable import flusher  # noqa: E402
from trackable.journal import lines  # noqa: E402
from trackable.messaging import send_increment_message  # noqa: E402
from trackable_tests.testapp.models import Page, PageTotals  # noqa: E402

CELLS = ("testapp.PageTotals", "testapp.Page", "1", "", "views", 1)


def floor_of(folder: str) -> Callable[[], None]:
    """Encode a line and append it, by hand."""
    fd = os.open(Path(folder) / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    encode = lines.encode.__wrapped__

    def append() -> None:
        os.write(fd, encode(*CELLS))

    return append


def emit() -> None:
    send_increment_message(None, Page(pk=1), "views", PageTotals)


def update() -> None:
    PageTotals.objects.filter(pk=1).update(views=F("views") + 1)


def seconds_per_call(action: Callable[[], None], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        action()
    return (time.perf_counter() - started) / calls


def measure(folder: str, rounds: int) -> None:
    contenders = {
        "append a line by hand": (floor_of(folder), 20_000),
        "emit": (emit, 20_000),
        f"F() update, {connection.vendor}": (update, 500),
    }
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, (action, calls) in contenders.items():
            seconds = seconds_per_call(action, calls)
            if turn:
                found[name].append(seconds)
    report(found)


def report(found: dict[str, list[float]]) -> None:
    print(f"Python {platform.python_version()}, Django {django.__version__}, {os.cpu_count()} CPUs")
    one = statistics.median(found["emit"])
    print(f"{'':<28} {'median':>10} {'least':>10} {'most':>10} {'to emit':>8}")
    for name, seconds in found.items():
        figures = (statistics.median(seconds), min(seconds), max(seconds))
        text = " ".join(f"{figure * 1e6:>7.2f} µs" for figure in figures)
        print(f"{name:<28} {text} {figures[0] / one:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = f"{folder}/counts.sqlite3"
        before = str(settings.DATABASES["default"]["NAME"])
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        try:
            page = Page.objects.create(pk=1, title="One", slug="one")
            PageTotals.objects.create(pk=1, parent=page)
            with override_settings(TRACKABLE_JOURNAL_DIR=f"{folder}/journal"):
                measure(folder, options.rounds)
                flusher.finish()
        finally:
            connection.creation.destroy_test_db(before, verbosity=0)


if __name__ == "__main__":
    main()
