"""A real log through the whole pipeline: every page and day is what ``awk`` counts.

``TRACKABLE_TEST_ACCESS_LOG`` names another log to take.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from django.db.models import Sum

from trackable_tests.accesslog.logs import EXCERPT, awk_counts, real_log
from trackable_tests.commands.running import run
from trackable_tests.testapp.models import Target, TargetData

pytestmark = pytest.mark.django_db

REQUESTED = re.compile(r'/.*(?<!")')
AWK = "{print substr($4, 2, 11) FS $7}"


def import_and_fold(log: Path) -> None:
    options = {"model": "testapp.Target", "pattern": "^/.*", "lookup": "path"}
    options |= {"field": "views", "time_zone": "log"}
    run("import_access_log", str(log), keep_query=True, **options)
    run("fold_trackable_messages")


def counted() -> Counter[tuple[str, str]]:
    paths = dict(Target.objects.values_list("pk", "path"))
    rows = TargetData.objects.values_list("object_id", "collected_during", "views")
    return Counter({(paths[key], f"{day:%d/%b/%Y}"): views for key, day, views in rows})


def expected_of(log: Path) -> Counter[tuple[str, str]]:
    """Return what is to be counted; ``awk`` takes what is no whole request for one, too."""
    found = awk_counts(log)
    return Counter({key: number for key, number in found.items() if REQUESTED.fullmatch(key[0])})


def test_every_page_and_day_is_what_awk_counts(broker_url: str | None) -> None:
    expected = expected_of(real_log())
    targets = {target for target, _ in expected}
    Target.objects.bulk_create(Target(path=target) for target in targets)
    import_and_fold(real_log())
    assert counted() == expected


def test_made_pages_count_the_same() -> None:
    run(
        "import_access_log",
        str(EXCERPT),
        *["--model", "testapp.Target", "--pattern", "^/.*", "--lookup", "path"],
        *["--field", "views", "--create", "--keep-query"],
    )
    run("fold_trackable_messages")
    assert counted() == expected_of(EXCERPT)


def test_without_queries_the_paths_add_up() -> None:
    options = {"model": "testapp.Target", "pattern": "^/.*", "lookup": "path", "field": "views"}
    run("import_access_log", str(EXCERPT), create=True, **options)
    run("fold_trackable_messages")
    assert not any("?" in path for path, _ in counted())
    assert TargetData.objects.aggregate(total=Sum("views"))["total"] == 448


@pytest.mark.skipif(shutil.which("awk") is None, reason="awk is absent")
@pytest.mark.parametrize("log", [EXCERPT, real_log()], ids=["excerpt", "real"])
def test_awk_itself_counts_as_the_tests_do(log: Path) -> None:
    text = subprocess.run(["gzip", "-dcf", log], capture_output=True, check=True).stdout
    done = subprocess.run(["awk", AWK], input=text, capture_output=True, check=True)
    found = [line.partition(b" ") for line in done.stdout.splitlines()]
    assert awk_counts(log) == Counter(
        (target.decode("utf-8", "backslashreplace"), day.decode()) for day, _, target in found
    )
