"""A database that goes away while folds run, and comes back."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from trackable import conf
from trackable.journal import segments
from trackable.journal.segments import OPEN, SEALED
from trackable.models import LedgerEntry
from trackable_tests import gate, services
from trackable_tests.bounds.databases import committing, servers
from trackable_tests.bounds.sites import PER_SECOND, Site
from trackable_tests.counting import a_page, emit_segment, fold_until_settled, reasons, total
from trackable_tests.faults.waiting import until
from trackable_tests.testapp.models import PageData, PageHours, PageParentTotals, PageTotals

pytestmark = pytest.mark.django_db

OUTAGE_SECONDS = 60.0
#: what processes may take to start, and to make up for it, where others do much at the same time
START_SECONDS = 120.0
BACK_SECONDS = 60.0
#: of the smallest journal: it is full before the outage is over
BOUND_BYTES = 512 << 10
MOST_ATTEMPTS = 13
#: room for a traceback, and for what is said of it
MOST_LINES_OF_AN_ATTEMPT = 100


@pytest.fixture
def door() -> Iterator[gate.Gate]:
    """The gate through which children reach this run's database."""
    with gate.in_front_of(services.url_of(services_name())) as found:
        yield found


def services_name() -> str:
    return "postgresql" if connection.vendor == "postgresql" else "mariadb"


def behind(door: gate.Gate) -> dict[str, str]:
    return {f"TRACKABLE_TEST_{services_name().upper()}_URL": door.url}


@pytest.fixture
def folder(child_environment: Any, door: gate.Gate) -> Callable[..., Any]:
    """Start a folder that reaches the database through the gate."""

    def start(*arguments: str) -> Any:
        return subprocess.Popen(
            [sys.executable, "-m", "django", "fold_trackable_messages", *arguments],
            env=child_environment() | behind(door),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@servers
@committing
@pytest.mark.slow
def test_a_fold_without_its_database_ends_soon_and_says_why(
    folder: Callable[..., Any], broker_url: str | None
) -> None:
    page = a_page()
    for data_cls in (PageData, PageTotals, PageParentTotals, PageHours):
        emit_segment(page, data_cls=data_cls)
    started = time.monotonic()
    _, err = folder().communicate(timeout=60)
    assert time.monotonic() - started < 20
    assert "The database refuses" in err
    assert "Nothing is lost" in err
    assert LedgerEntry.objects.count() == 0
    fold_until_settled()
    assert [total(cls) for cls in (PageData, PageTotals, PageParentTotals, PageHours)] == [1] * 4


@pytest.mark.vendor("mariadb")  # PostgreSQL is away for a minute, below
@committing
@pytest.mark.slow
def test_a_folder_that_watches_outlives_its_database(
    folder: Callable[..., Any], door: gate.Gate, broker_url: str | None
) -> None:
    page = a_page()
    door.open()
    watching = folder("--watch", "0.1")
    try:
        emit_segment(page)
        until(lambda: total(PageData) == 1)
        door.shut()
        for _ in range(5):
            emit_segment(page, times=10)
        assert any("The next attempt follows" in line for line in watching.stderr)
        assert total(PageData) == 1
        assert segments.listing(conf.journal_dir(), OPEN) == []
        assert watching.poll() is None
        door.open()
        until(lambda: total(PageData) == 51)
    finally:
        watching.terminate()
        watching.communicate(timeout=30)
    assert watching.returncode == 0
    fold_until_settled()
    assert (total(PageData), reasons()) == (51, [])
    assert segments.listing(conf.journal_dir(), SEALED) == []


# a minute


@pytest.fixture
def sites(
    door: gate.Gate, child_environment: Any, redis_url: str, rabbitmq_url: str, tmp_path: Path
) -> Iterator[list[Site]]:
    """A site without a broker, whose journal is small, and one with each; the gate is open."""
    settings: dict[str, dict[str, Any]] = {
        "embedded": {"BROKER_URL": None, "JOURNAL_MAX_BYTES": BOUND_BYTES},
        "redis": {"BROKER_URL": redis_url},
        "rabbitmq": {"BROKER_URL": rabbitmq_url},
    }
    door.open()
    with contextlib.ExitStack() as stack:
        found = []
        for name, changed in settings.items():
            own = {"JOURNAL_DIR": str(tmp_path / name / "journal"), **changed}
            environment = child_environment(**{f"TRACKABLE_{key}": own[key] for key in own})
            site = Site(tmp_path / name, a_page(name), environment | behind(door))
            found.append(stack.enter_context(site))
        yield found


@pytest.mark.vendor("postgresql")
@committing
@pytest.mark.slow
def test_sites_outlive_a_minute_without_their_database(door: gate.Gate, sites: list[Site]) -> None:
    until(lambda: all(site.counted() for site in sites), seconds=START_SECONDS)
    be_away(door, sites)
    come_back(door, sites)
    told = [site.end_emitting() for site in sites]
    acknowledged = [each for each, _ in told]
    until(lambda: [site.counted() for site in sites] == acknowledged, seconds=BACK_SECONDS)
    until(lambda: all(site.is_settled() for site in sites), seconds=BACK_SECONDS)
    assert [site.end_folding() for site in sites] == [0, 0, 0]
    assert ([site.counted() for site in sites], reasons()) == (acknowledged, [])
    dropped = LedgerEntry.objects.aggregate(told=Sum("dropped"))["told"]
    assert [refused for _, refused in told] == [dropped, 0, 0]
    assert dropped > 0
    for site in sites:
        check_logs(site)


def be_away(door: gate.Gate, sites: list[Site]) -> None:
    """Have the database away for a minute, in which emits go on and the small journal is full."""
    emitted = [site.emitted() for site in sites]
    door.shut()
    sizes_bytes = []
    end = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < end:
        sizes_bytes.append(sites[0].size_bytes())
        time.sleep(0.1)
    assert [site.folder.poll() for site in sites] == [None, None, None]
    assert max(sizes_bytes) <= BOUND_BYTES
    taken = [site.emitted() - before for site, before in zip(sites, emitted, strict=True)]
    assert min(taken[1:]) > OUTAGE_SECONDS * PER_SECOND / 2


def come_back(door: gate.Gate, sites: list[Site]) -> None:
    """Have the database back; more is counted soon, and more is taken where none was."""
    before = [(site.counted(), site.emitted()) for site in sites]

    def have_gone_on() -> bool:
        pairs = zip(sites, before, strict=True)
        return all(s.counted() > counted and s.emitted() > taken for s, (counted, taken) in pairs)

    door.open()
    until(have_gone_on, seconds=BACK_SECONDS)


def check_logs(site: Site) -> None:
    said = site.said_by("folder")
    attempts = sum("The next attempt follows" in line for line in said)
    assert 2 < attempts <= MOST_ATTEMPTS
    assert len(said) <= attempts * MOST_LINES_OF_AN_ATTEMPT
    assert len(site.said_by("emitter")) <= MOST_LINES_OF_AN_ATTEMPT
