"""A clock that is set back or forward on a count's way loses nothing, and has nothing wait."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trackable import alarms, broker, settling
from trackable.folding import collect as collecting
from trackable.folding.collect import collect
from trackable.journal import segments
from trackable.journal.segments import FOLDED, SEALED, SHIPPED
from trackable.models import QuarantinedMessage
from trackable.shipping import Shipper
from trackable_tests.counting import a_page, emit_segment, total
from trackable_tests.protocol.clock import Clock
from trackable_tests.protocol.fake_broker import FakeBroker, Server
from trackable_tests.testapp.models import PageTotals

HOUR = 3600.0
YEAR = 365 * 24 * HOUR
RETENTION_SECONDS = 600.0
RESEND_SECONDS = HOUR
STEPS = ("emit", "ship", "fold", "settle")


@pytest.fixture
def clock() -> Iterator[Clock]:
    subject = Clock()
    with subject.ruling():
        yield subject


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Server:
    """A broker in memory."""
    settings.TRACKABLE_BROKER_URL = "memory://"
    settings.TRACKABLE_RESEND_AFTER = RESEND_SECONDS
    found = Server()
    for owner in (broker, collecting):
        monkeypatch.setattr(owner, "Broker", lambda: FakeBroker(found))
    return found


def states(directory: Path) -> list[str]:
    return [segment.state for segment in segments.listing(directory)]


def ship(directory: Path) -> None:
    shipper = Shipper(directory)
    assert shipper.ship()
    shipper.close()


def set_clock(clock: Clock, ahead_seconds: float) -> None:
    """Set this machine's clock, and the database's with it; what counts seconds goes on."""
    clock.skew_seconds = clock.database_skew_seconds = ahead_seconds


def go(step: str, directory: Path, clock: Clock, page: Any) -> None:
    if step == "emit":
        emit_segment(page, data_cls=PageTotals)
    elif step == "ship":
        ship(directory)
    elif step == "fold":
        collect(wait=False)
    else:
        settling.settle(directory, clock.time())


@pytest.mark.django_db
@pytest.mark.parametrize("with_broker", [False, True], ids=["embedded", "broker"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("jump", [-HOUR, HOUR, YEAR], ids=["back", "forward", "year"])
@pytest.mark.parametrize("returns", [False, True], ids=["stays", "returns"])
def test_a_clock_that_jumps_at_any_step_changes_no_count(
    jump: float,
    step: str,
    returns: bool,
    with_broker: bool,
    directory: Path,
    clock: Clock,
    request: pytest.FixtureRequest,
) -> None:
    if with_broker:
        request.getfixturevalue("server")
    page = a_page()
    for each in STEPS:
        if each == step:
            set_clock(clock, jump)
        if each != "ship" or with_broker:
            go(each, directory, clock, page)
        if each == step and returns:
            set_clock(clock, 0.0)
    # From here on the clock goes as it should, and nothing may wait for longer than it does then.
    for _ in range(3):
        clock.now += RETENTION_SECONDS + 1
        go("fold", directory, clock, page)
    # What is a year old nobody can tell to be counted: it is in the quarantine then, and visible.
    aside = QuarantinedMessage.objects.count()
    assert total(PageTotals) + aside == 1
    assert aside == (step in ("ship", "fold") and jump == YEAR and not (returns and step == "ship"))
    assert states(directory) == []
    emit_segment(page, data_cls=PageTotals)
    go("fold", directory, clock, page)
    assert total(PageTotals) + aside == 2


@pytest.mark.django_db
@pytest.mark.parametrize("jump", [HOUR, YEAR])
def test_what_a_broker_has_lost_is_sent_again_in_time_though_the_clock_was_set_back(
    jump: float, directory: Path, clock: Clock, server: Server
) -> None:
    page = a_page()
    emit_segment(page, data_cls=PageTotals)
    set_clock(clock, jump)
    ship(directory)
    server.empty()
    set_clock(clock, 0.0)
    settling.settle(directory, clock.time())
    assert states(directory) == [SHIPPED]
    clock.now += RESEND_SECONDS + 1
    settling.settle(directory, clock.time())
    assert states(directory) == [SEALED]
    collect(wait=False)
    assert total(PageTotals) == 1


@pytest.mark.django_db
def test_the_retention_ends_in_time_though_the_clock_was_set_back(
    directory: Path, clock: Clock
) -> None:
    emit_segment(a_page(), data_cls=PageTotals)
    collect(wait=False)
    set_clock(clock, -HOUR)
    settling.settle(directory, clock.time())
    assert states(directory) == [FOLDED]
    clock.now += RETENTION_SECONDS + 1
    settling.settle(directory, clock.time())
    assert states(directory) == []


def test_a_shipper_that_hangs_is_overtaken_though_the_clock_was_set_back(
    directory: Path, clock: Clock, server: Server, settings: Any
) -> None:
    segment, fd = segments.create(directory)
    os.write(fd, b"line\n")
    assert segments.seal(segment, fd) is not None
    stopped = Shipper(directory)
    assert stopped.lock.acquire()
    assert not Shipper(directory).ship()
    set_clock(clock, -HOUR)
    assert Shipper(directory).ship()
    stopped.close()


def test_an_outage_ends_though_the_clock_was_set_back(tmp_path: Path) -> None:
    alarms.sound(tmp_path, alarms.BROKER, "away")
    (marker,) = tmp_path.glob("*.outage")
    ahead = time.time() + HOUR
    os.utime(marker, (ahead, ahead))
    alarms.end(tmp_path, alarms.BROKER)
    assert marker.stat().st_mtime < time.time() + 1
    os.utime(marker, (time.time() - 61, time.time() - 61))
    alarms.end(tmp_path, alarms.BROKER)
    assert not marker.exists()


def test_times_that_are_a_little_ahead_are_left(tmp_path: Path) -> None:
    segment, fd = segments.create(tmp_path)
    os.close(fd)
    now = time.time()
    for ahead, expected in ((30.0, now + 30), (90.0, now)):
        os.utime(segment.path, (now + ahead, now + ahead))
        segments.redate(tmp_path, now)
        assert segment.changed_at() == pytest.approx(expected, abs=0.01)
