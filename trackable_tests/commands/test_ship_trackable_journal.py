"""The command ships without folding, and fails where it cannot."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, connection

from trackable import conf
from trackable.journal import segments
from trackable.journal.locks import MachineLock
from trackable.journal.segments import SEALED, SHIPPED
from trackable_tests.commands.running import run
from trackable_tests.counting import a_page, emit, emit_segment, total
from trackable_tests.testapp.models import PageData

pytestmark = pytest.mark.django_db

NOWHERE = "redis://127.0.0.1:1/0"


def listed(*states: str) -> int:
    return len(segments.listing(conf.journal_dir(), *states))


def test_what_is_open_is_shipped_and_not_folded(redis_url: str, settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = redis_url
    page = a_page()
    emit_segment(page)
    emit(page, times=2)
    said = run("ship_trackable_journal")
    assert said.out == "Shipped 2 segments; 0 to be shipped, 2 to be folded.\n"
    assert (total(PageData), listed(SEALED), listed(SHIPPED)) == (0, 0, 2)
    run("fold_trackable_messages")
    assert total(PageData) == 3


def test_what_is_folded_elsewhere_does_not_stay(redis_url: str, settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = redis_url
    emit_segment(a_page())
    run("ship_trackable_journal")
    here = settings.TRACKABLE_JOURNAL_DIR
    settings.TRACKABLE_JOURNAL_DIR = f"{here}-elsewhere"
    run("fold_trackable_messages")
    settings.TRACKABLE_JOURNAL_DIR = here
    assert run("ship_trackable_journal").out.endswith(" 0 to be folded.\n")
    settings.TRACKABLE_JOURNAL_RETENTION = 0
    run("ship_trackable_journal")
    assert listed() == 0


def test_what_the_broker_has_lost_is_shipped_again(redis_url: str, settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = redis_url
    emit_segment(a_page())
    run("ship_trackable_journal")
    [segment] = segments.listing(conf.journal_dir(), SHIPPED)
    long_ago = time.time() - 2 * conf.get("RESEND_AFTER")
    os.utime(segment.path, (long_ago, long_ago))
    assert run("ship_trackable_journal").out.startswith("Shipped 1 segment;")


def test_database_that_is_away_keeps_nothing_from_being_shipped(
    redis_url: str, settings: Any
) -> None:
    settings.TRACKABLE_BROKER_URL = redis_url
    emit_segment(a_page())

    def refuse(*_: Any) -> None:
        raise OperationalError("away")

    with connection.execute_wrapper(refuse):
        said = run("ship_trackable_journal")
    assert "Shipped 1 segment;" in said.out
    assert "The ledger was not asked what is folded (away)" in said.err


def test_nothing_to_ship_is_no_failure(redis_url: str, settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = redis_url
    assert run("ship_trackable_journal").out.startswith("Shipped 0 segments; 0 to be shipped")


def test_broker_that_is_away_is_a_failure_and_loses_nothing(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = NOWHERE
    emit(a_page())
    with pytest.raises(CommandError, match=r"1 segment still to ship.*BROKER_URL") as caught:
        run("ship_trackable_journal")
    assert (caught.value.returncode, listed(SEALED)) == (1, 1)


def test_another_shipper_that_does_not_ship_is_a_failure(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = NOWHERE
    settings.TRACKABLE_FLUSH_INTERVAL = -0.5
    emit(a_page())
    other = MachineLock(conf.journal_dir() / "shipper.lock")
    assert other.acquire()
    with pytest.raises(CommandError, match="still to ship"):
        run("ship_trackable_journal")
    other.release()


def test_without_a_broker_there_is_nothing_to_ship_to() -> None:
    emit_segment(a_page())
    said = run("ship_trackable_journal")
    assert said.out.startswith("There is nothing to ship to: TRACKABLE_BROKER_URL names no broker")
    assert "1 segment in" in said.out
    assert listed(SEALED) == 1


def test_journal_that_cannot_be_used_is_a_failure(tmp_path: Any, settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = NOWHERE
    (tmp_path / "file").touch()
    settings.TRACKABLE_JOURNAL_DIR = str(tmp_path / "file")
    with pytest.raises(CommandError, match="cannot be used"):
        run("ship_trackable_journal")
