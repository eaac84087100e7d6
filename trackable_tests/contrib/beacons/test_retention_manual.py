"""The how-to page on retention: its commands and its code work as they are shown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.utils import timezone

from trackable.admin import paging
from trackable.contrib.beacons import entities, retention
from trackable.contrib.beacons.arrivals import Visit
from trackable.contrib.beacons.management.commands.purge_beacons import Command
from trackable.contrib.beacons.models import Beacon
from trackable_tests.commands.running import run
from trackable_tests.contrib.beacons.visits import AT, visit, write

PAGE = (settings.BASE_DIR / "docs" / "how-to" / "beacon-retention.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.django_db(transaction=True)


def block(part: str) -> str:
    (found,) = [text for text in PYTHON if part in text]
    return str(found)


@pytest.fixture(params=["one by one", "many"])
def visitor(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page's own model, which has a table for now."""
    code = block("class Visitor")
    if request.param == "many":
        code += "\n" + block("def beacon_record_many").partition("\n")[2]
    names: dict[str, Any] = {"__name__": "trackable_tests.contrib.campaigns.models"}
    with isolate_apps("trackable_tests.contrib.campaigns"):
        exec(code, names)
    model = names["Visitor"]
    with connection.schema_editor() as editor:
        editor.create_model(model)
    yield model
    with connection.schema_editor() as editor:
        editor.delete_model(model)


def test_model_of_the_page_notes_who_comes(visitor: Any) -> None:
    request = RequestFactory().get("/", headers={"User-Agent": "Lynx"})
    snapshot = visitor.beacon_snapshot(request)
    keys: list[str] = []
    for key in (None, None):
        keys += come(visitor, [key], snapshot)
    assert come(visitor, [int(keys[0]), int(keys[0]), 9999, None], snapshot)[:2] == [keys[0]] * 2
    assert sorted(visitor.objects.values_list("browser", "visits")) == [
        *[("Lynx", 1)] * 3,
        ("Lynx", 3),
    ]


def come(model: Any, keys: list[Any], snapshot: Any) -> list[str]:
    with transaction.atomic():
        return list(entities.record("default", [Visit(model, key, snapshot, AT) for key in keys]))


def test_task_of_the_page_purges() -> None:
    write(visit(at=timezone.now() - timedelta(days=31)), visit(at=timezone.now()))
    names: dict[str, Any] = {}
    exec(block("shared_task"), names)
    assert names["shared_task"] is shared_task
    names["purge_old_beacons"].run()
    assert Beacon.objects.count() == 1


def test_command_says_what_the_page_shows() -> None:
    for line in re.findall(r"^\$ manage\.py (.*)$", PAGE, re.MULTILINE):
        name, *arguments = line.split()
        shown = PAGE.partition(f"$ manage.py {line}\n")[2].partition("\n")[0]
        assert re.sub(r"\d[\d,]* ", "0 ", shown) + "\n" == run(name, *arguments).out


def test_every_option_has_its_row() -> None:
    parser = Command().create_parser("manage.py", "purge_beacons")
    base = BaseCommand().create_parser("manage.py", "x")
    own = {*parser._option_string_actions} - {*base._option_string_actions}
    assert set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE)) == own


def test_numbers_are_those_of_the_code() -> None:
    text = " ".join(textwrap.dedent(PAGE).split())
    assert f"ends after {paging.MAX_LISTED:,} rows" in text
    at_a_time = (retention.BEACONS_AT_A_TIME, retention.VISITORS_AT_A_TIME)
    assert "transactions of {:,} beacons or {} visitors".format(*at_a_time) in text
