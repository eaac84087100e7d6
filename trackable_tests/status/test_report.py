"""A status as people and programs read it."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass

from django.conf import settings

from trackable.status import Failed, Limits, Status, problems
from trackable.status.figures import Broker, Quarantined
from trackable.status.report import as_json, as_text
from trackable_tests.status.making import (
    a_database,
    a_fold,
    a_journal,
    a_machine,
    a_quarantine,
    a_status,
)


def text(status: Status) -> str:
    return as_text(status, problems(status, Limits(max_age_seconds=100.0)))


def test_first_line_says_whether_all_is_well() -> None:
    assert text(a_status()).startswith("trackable is well: web1, ")
    bad = a_status(a_journal(oldest_age_seconds=200.0, share_percent=90.0))
    assert text(bad).startswith("trackable has problems (max-age, max-journal): web1, ")


def test_numbers_have_separators_and_ages_are_in_words() -> None:
    machine = a_machine(a_fold(7260.0, duration_seconds=1.234), emitted=1234567, folds=1)
    shown = text(a_status(a_journal(size_bytes=12_900_000), machine))
    assert "12.3 MiB, 0 % of 1.0 GiB" in shown
    assert "1,234,567, 0 refused" in shown
    assert "in 1 fold," in shown
    assert "2 h 1 min ago, 10 increments in 1.23 s" in shown


def test_part_that_failed_is_shown_among_the_others() -> None:
    shown = text(a_status(machine=Failed("no such disk"), broker=Failed("refused")))
    assert shown.count("failed: ") == 2
    assert "Database default" in shown


def test_queues_that_are_empty_are_left_out() -> None:
    queues = {"app.Empty": 0, **{f"app.Data{number}": number for number in range(1, 30)}}
    shown = text(a_status(broker=Broker(queues, {"app.Other": "why"})))
    assert "435 messages in 30 queues" in shown
    assert "app.Data29" in shown
    assert "app.Empty" not in shown
    assert "refused: why" in shown


def test_long_name_stays_apart_from_what_is_said_of_it() -> None:
    broker = Broker({}, {"trackable.FilteredHitsOfSomebody": "why"})
    assert "trackable.FilteredHitsOfSomebody refused: why" in text(a_status(broker=broker))


def test_report_fits_a_screen_whatever_waits() -> None:
    queues = {f"app.Data{number}": number for number in range(1, 30)}
    held = {label: Quarantined(1, 1) for label in queues}
    database = a_database(quarantine=a_quarantine(3, data_classes=held, is_partial=True))
    shown = text(a_status(broker=Broker(queues, {}), database=database))
    assert len(shown.splitlines()) <= 48
    assert "more than 3 messages" in shown


def test_names_of_machines_do_nothing_to_a_terminal() -> None:
    shown = text(a_status(a_journal(directory="/srv/\x1b[2J", other_machines=["web2"])))
    assert "\x1b" not in shown
    assert "web2" in shown


def test_json_has_everything() -> None:
    status = a_status(broker=Broker({"app.PageData": 2}, {}), database=Failed("away"))
    found = json.loads(as_json(status, problems(status, Limits(max_age_seconds=1.0))))
    assert list(found) == [
        *("ok", "problems", "journal", "machine", "broker", "databases", "host", "at")
    ]
    assert found["ok"] is False
    assert found["problems"][0].keys() == {"name", "text", "cure"}
    assert found["databases"] == {"default": {"error": "away"}}
    assert found["broker"]["queues"] == {"app.PageData": 2}
    assert found["at"].endswith("+00:00")


def keys_of(value: object) -> set[str]:
    """Return the fields of everything that a status is made of."""
    if not is_dataclass(value):
        return set()
    held = {field.name: getattr(value, field.name) for field in fields(value)}
    inner = (keys_of(each) for each in held.values())
    return set(held).union(*inner)


def test_every_key_is_in_the_reference() -> None:
    page = (settings.BASE_DIR / "docs" / "reference" / "commands.md").read_text()
    section = page.partition("## trackable_status")[2].partition("\n## ")[0]
    database = a_database(last_fold=a_fold(1.0))
    parts = (a_status(machine=a_machine(a_fold(1.0))), database, Broker({}, {}))
    keys = set.union(*map(keys_of, parts), set(a_machine().sums), {"ok", "problems"})
    assert {key for key in keys if f"`{key}`" not in section} == set()
