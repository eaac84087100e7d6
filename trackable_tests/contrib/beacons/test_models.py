"""Beacons become rows as they travelled, or say why they cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import OperationalError, connection

from trackable.contrib.beacons import arrivals
from trackable.contrib.beacons.models import IP, Beacon, IPEntity
from trackable.folding.engine import fold
from trackable.messaging import process_messages, send_record
from trackable_tests.contrib.beacons.visits import AT, BEACON, ip_entity, record, visit, write
from trackable_tests.contrib.campaigns.models import Article, Campaign, ExternalLink
from trackable_tests.counting import batch, reasons
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db


def test_what_is_emitted_becomes_a_row(article: Article, campaign: Campaign) -> None:
    assert send_record(None, Beacon, visit(article, source=campaign, entity=ip_entity()))
    assert process_messages() == 1
    beacon = Beacon.objects.get()
    assert (beacon.target, beacon.source) == (article, campaign)
    assert beacon.entity == IPEntity.objects.get()
    assert beacon.time_created == AT


def test_everything_but_the_time_may_be_missing() -> None:
    (beacon,) = write({"at": AT.isoformat()})
    assert (beacon.target, beacon.source, beacon.entity) == (None, None, None)
    assert (beacon.target_id, beacon.source_id, beacon.entity_id) == ("", "", "")


def test_keys_of_any_kind_are_kept_in_one_form() -> None:
    link = ExternalLink.objects.create(url="/")
    for key in (str(link.pk), link.pk.hex, str(link.pk).upper()):
        write({"at": AT.isoformat(), "target": ["campaigns.ExternalLink", key]})
    found = Beacon.objects.filter(target_id=str(link.pk))
    assert [beacon.target for beacon in found] == [link] * 3


def test_beacons_of_an_object_that_is_gone_are_kept(article: Article) -> None:
    (beacon,) = write(visit(article))
    key = str(article.pk)
    article.delete()
    beacon = Beacon.objects.get()
    assert (beacon.target, beacon.target_id) == (None, key)


def test_beacons_of_a_model_that_is_gone_are_kept(campaign: Campaign) -> None:
    stale = ContentType.objects.create(app_label="shop", model="product")
    Beacon.objects.create(target=campaign, source_type=stale, source_id="7")
    stale.delete()
    beacon = Beacon.objects.get()
    assert (beacon.target, beacon.source, beacon.source_id) == (campaign, None, "7")


def test_time_is_that_of_the_visit_in_any_zone() -> None:
    write({"at": "2026-11-21T10:30:00.123456+01:00"}, {"at": "2026-11-21T09:30:00Z"})
    first, other = Beacon.objects.order_by("pk")
    assert first.time_created == AT + timedelta(microseconds=123456)
    assert other.time_created == AT


def test_sites_without_time_zones_get_their_own_time(settings: Any) -> None:
    settings.USE_TZ, settings.TIME_ZONE = False, "Europe/Berlin"
    arrival = arrivals.read({"at": AT.isoformat()})
    assert arrival.at == datetime(2026, 11, 21, 10, 30, tzinfo=UTC).replace(tzinfo=None)


def test_text_of_a_beacon_is_its_time_and_asks_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert str(Beacon(pk=1, time_created=AT)) == "Beacon of 2026-11-21 09:30:00"
        assert str(IPEntity(pk=5)) == "IP entity 5"
        assert str(IP(address="192.0.2.0")) == "192.0.2.0"


UNFIT: list[tuple[Any, str]] = [
    ({}, "the time 'None' cannot be read"),
    ({"at": 5}, "the time '5' cannot be read"),
    ({"at": "soon"}, "the time 'soon' cannot be read"),
    ({"at": "2026-11-21T09:30:00"}, "it has no zone"),
    ({"at": "0001-01-01T00:00:00+14:00"}, "cannot be read"),
    ({"at": AT.isoformat(), "tarjet": None}, "a beacon has no 'tarjet'"),
    ({"target": "campaigns.Article"}, "its target has another shape"),
    ({"target": ["campaigns.Article"]}, "its target has another shape"),
    ({"target": ["campaigns.Article", 5]}, "its target has another shape"),
    ({"target": ["campaigns.Gone", "5"]}, "there is no model 'campaigns.Gone'"),
    ({"target": ["no label", "5"]}, "there is no model 'no label'"),
    ({"target": ["campaigns.Article", "five"]}, "its target: "),
    ({"target": ["campaigns.Article", ""]}, "its target: "),
    ({"target": ["campaigns.Article", "1\0"]}, "its target: the object id has characters"),
    ({"target": ["campaigns.ExternalLink", "5"]}, "its target: "),
    ({"source": ["campaigns.Campaign", "9" * 65]}, "its source: "),
    ({"source": ["sessions.Session", "a" * 41]}, "its source: "),
    ({"source": {"campaigns.Campaign": 1}}, "its source has another shape"),
    ({"entity": ["campaigns.Ticket", None]}, "its entity has another shape"),
    ({"entity": ["campaigns.Ticket", 5, None]}, "its entity has another shape"),
    ({"entity": ["campaigns.Gone", None, None]}, "there is no model 'campaigns.Gone'"),
    ({"entity": ["campaigns.ExternalLink", "x", None]}, "its entity: "),
    ({"entity": ["sessions.Session", None, None]}, "a new sessions.Session needs a key"),
    ({"entity": ip_entity("nowhere")}, "'nowhere' does not appear to be an IPv4"),
    ({"entity": ["trackable_beacons.IPEntity", None, None]}, "snapshot has no address"),
]


@for_each("values, reason", UNFIT)
def test_what_is_no_beacon_is_set_aside_alone(values: Any, reason: str, article: Article) -> None:
    bad = {"at": AT.isoformat(), **values} if {"target", "source", "entity"} & {*values} else values
    good = [record(visit(article)) for _ in range(3)]
    report = fold(BEACON, [batch(Beacon, *good, record(bad))])
    assert (report.increments, report.quarantined, Beacon.objects.count()) == (3, 1, 3)
    (found,) = reasons()
    assert found.startswith("it cannot be written: ValueError: ")
    assert reason in found


def test_keys_of_text_are_as_long_as_the_column() -> None:
    assert arrivals.text_of("a" * 64) == "a" * 64
    with pytest.raises(ValueError, match="a key of 65 characters is too long: 64 can be"):
        arrivals.text_of("a" * 65)


@pytest.mark.django_db(databases=["default", "other"])
def test_everything_is_in_the_database_of_the_fold(settings: Any, article: Article) -> None:
    labels = ("Beacon", "IP", "IPEntity")
    settings.TEST_DATABASE_OF = {f"trackable_beacons.{name}": "other" for name in labels}
    ContentType.objects.using("other").filter(app_label="campaigns").delete()
    fold(BEACON, [batch(Beacon, record(visit(article, entity=ip_entity())))])
    beacon = Beacon.objects.using("other").get()
    assert beacon.target_type == ContentType.objects.using("other").get(model="article")
    assert IPEntity.objects.using("other").get().ip_addresses.count() == 1
    assert not any(model.objects.using("default").exists() for model in (Beacon, IP, IPEntity))


def test_content_types_are_those_of_now(article: Article) -> None:
    write(visit(article))
    Beacon.objects.all().delete()
    before = ContentType.objects.get_for_model(Article)  # Django's cache has it from now on
    ContentType.objects.filter(pk=before.pk).delete()
    (beacon,) = write(visit(article))
    assert beacon.target_type == ContentType.objects.get(app_label="campaigns", model="article")


@pytest.mark.slow
def test_many_are_written_in_few_statements(
    article: Article, campaign: Campaign, django_assert_max_num_queries: Any
) -> None:
    IPEntity.objects.bulk_create([IPEntity() for _ in range(500)])
    keys = list(IPEntity.objects.values_list("pk", flat=True))
    found = [
        visit(
            article,
            source=campaign,
            entity=ip_entity(f"10.{n >> 8}.{n & 255}.0", keys[n % 500] if n % 2 else None),
        )
        for n in range(4_000)
    ]
    # For each 500: SQLite takes fewer columns at a time than others.
    with django_assert_max_num_queries(10 * 8):
        write(*found)
    assert Beacon.objects.count() == 4_000
    assert IP.objects.count() == 4_000
    assert IPEntity.objects.count() == 2_500


def test_a_connection_that_is_lost_is_no_fault_of_a_beacon(
    article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*args: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(Beacon, "write_records", lose)
    monkeypatch.setattr("trackable.folding.engine.ATTEMPTS", 1)
    with pytest.raises(OperationalError):
        fold(BEACON, [batch(Beacon, record(visit(article)))])
    assert reasons() == []


# the tables


@pytest.mark.django_db(databases="__all__")
def test_models_and_migration_agree(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("makemigrations", "trackable_beacons", check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_migration_can_be_taken_back(article: Article) -> None:
    write(visit(article, entity=ip_entity()))
    tables = {model._meta.db_table for model in (Beacon, IP, IPEntity)}
    try:
        call_command("migrate", "trackable_beacons", "zero", verbosity=0)
        assert not tables & {*connection.introspection.table_names()}
    finally:
        call_command("migrate", verbosity=0)  # also what depends on it
    assert tables < {*connection.introspection.table_names()}
    assert write(visit(article, entity=ip_entity()))
