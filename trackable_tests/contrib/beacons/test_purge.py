"""Old beacons are removed, and who came only then; what came since stays, whatever is going on."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from trackable.contrib.beacons import retention
from trackable.contrib.beacons.models import Beacon, IPEntity
from trackable.contrib.beacons.retention import PurgeReport, purge
from trackable.folding import engine
from trackable_tests.bounds.databases import servers
from trackable_tests.bounds.threads import in_threads
from trackable_tests.commands.running import Said, run
from trackable_tests.contrib.beacons.visits import addresses, ip_entity, visit, write
from trackable_tests.contrib.campaigns.models import Article, Remark
from trackable_tests.counting import Crash
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db

committing = pytest.mark.django_db(transaction=True)
NOW = timezone.now()
BEFORE = NOW - timedelta(days=30)
OLD = BEFORE - timedelta(days=1)
NEW = BEFORE + timedelta(days=1)


def act(*arguments: str, **options: Any) -> Said:
    return run("purge_beacons", *arguments, **options)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no purge wait long for a database that refuses for good."""
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.005)


@pytest.fixture(params=[2, 3, 1000])
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Purge in transactions of so many rows."""
    size: int = request.param
    monkeypatch.setattr(retention, "BEACONS_AT_A_TIME", size)
    monkeypatch.setattr(retention, "VISITORS_AT_A_TIME", size)
    return size


@pytest.fixture
def batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BEACONS_AT_A_TIME", 2)
    monkeypatch.setattr(retention, "VISITORS_AT_A_TIME", 2)


def come(*days: int, address: str = "192.0.2.0", key: Any = None) -> Any:
    """Have an entity come on days since the time of the purge; return its key."""
    for day in days:
        at = BEFORE + timedelta(days=day, seconds=-1 if day <= 0 else 0)
        key = write(visit(entity=ip_entity(address, key), at=at))[-1].entity_id
    return key


def left() -> tuple[int, int, list[str]]:
    return Beacon.objects.count(), IPEntity.objects.count(), addresses()


# what is removed


@pytest.mark.usefixtures("batches")
def test_old_beacons_go_and_new_ones_stay(article: Article) -> None:
    write(*(visit(article, at=at) for at in [OLD, NEW, OLD, BEFORE, OLD, NEW, OLD]))
    assert purge(BEFORE) == PurgeReport(beacons=4)
    kept = Beacon.objects.order_by("time_created").values_list("time_created", flat=True)
    assert list(kept) == [BEFORE, NEW, NEW]


@pytest.mark.usefixtures("batches")
def test_visitors_who_came_only_then_go_too() -> None:
    for number in range(5):
        come(-3, -1, address=f"10.0.{number}.0")
    stays = come(-3, 1, address="10.1.0.0")
    assert purge(BEFORE) == PurgeReport(beacons=11, entities=5, addresses=5)
    assert left() == (1, 1, ["10.1.0.0"])
    assert IPEntity.objects.get().pk == int(stays)


def test_an_address_goes_with_the_last_beacon_from_it() -> None:
    key = come(-2, address="10.0.0.0")
    come(-1, 1, address="10.1.0.0", key=key)
    assert purge(BEFORE) == PurgeReport(beacons=2, entities=0, addresses=1)
    assert left() == (1, 1, ["10.1.0.0"])
    assert addresses(IPEntity.objects.get()) == ["10.1.0.0"]


def test_an_address_stays_while_anybody_comes_from_it() -> None:
    come(-1)
    come(1)
    assert purge(BEFORE) == PurgeReport(beacons=1, entities=1, addresses=0)
    assert left() == (1, 1, ["192.0.2.0"])


def test_an_entity_that_never_came_stays() -> None:
    prepared = IPEntity.objects.create()
    come(-1)
    purge(BEFORE)
    assert IPEntity.objects.get() == prepared


def test_an_entity_with_a_beacon_stays_however_it_was_made() -> None:
    entity = IPEntity.objects.create(seen_at=OLD)
    Beacon.objects.create(entity=entity, time_created=NEW)
    assert purge(BEFORE) == PurgeReport()
    Beacon.objects.update(time_created=OLD)
    assert purge(BEFORE) == PurgeReport(beacons=1, entities=1)


def test_entities_of_other_models_are_not_mistaken_for_ip_entities(article: Article) -> None:
    key = int(come(-1))
    other = ContentType.objects.get_for_model(Article)
    Beacon.objects.create(entity_type=other, entity_id=str(key), time_created=NEW)
    assert purge(BEFORE) == PurgeReport(beacons=1, entities=1, addresses=1)
    assert Beacon.objects.get().entity_id == str(key)


def test_what_a_model_of_the_site_refers_to_stays() -> None:
    kept, _ = (come(-1, address=f"10.{number}.0.0") for number in range(2))
    remark = Remark.objects.create(about_id=kept)
    told = purge(BEFORE, dry_run=True)
    assert purge(BEFORE) == told == PurgeReport(beacons=2, entities=1, addresses=2)
    assert IPEntity.objects.get() == remark.about
    remark.delete()
    assert purge(BEFORE) == PurgeReport(entities=1)


@pytest.mark.usefixtures("batches")
def test_a_dry_run_tells_what_would_go_and_leaves_it() -> None:
    for number in range(3):
        come(-3, -1, address=f"10.0.{number}.0")
    come(-3, 1, address="10.1.0.0")
    before = left()
    told = purge(BEFORE, dry_run=True)
    assert left() == before
    assert purge(BEFORE) == told == PurgeReport(beacons=7, entities=3, addresses=3)


def test_nothing_is_nothing_to_do() -> None:
    assert purge(BEFORE) == PurgeReport()


@pytest.mark.django_db(databases=["default", "other"])
def test_beacons_are_purged_where_they_are(settings: Any) -> None:
    names = ("Beacon", "IP", "IPEntity")
    settings.TEST_DATABASE_OF = {f"trackable_beacons.{name}": "other" for name in names}
    write(visit(entity=ip_entity(), at=OLD), alias="other")
    assert purge(BEFORE) == PurgeReport(1, 1, 1)
    assert not Beacon.objects.using("other").exists()


# how it is removed


@pytest.mark.usefixtures("batches_of_two")
def test_each_transaction_is_told_of_the_oldest_first(article: Article) -> None:
    write(*(visit(article, at=OLD - timedelta(hours=n)) for n in range(5)))
    told = []

    def note(report: PurgeReport) -> None:
        oldest = Beacon.objects.order_by("time_created").first()
        told.append((report.beacons, oldest and oldest.time_created))

    purge(BEFORE, progress=note)
    assert told[:3] == [(2, OLD - timedelta(hours=2)), (4, OLD), (5, None)]


@committing
@pytest.mark.usefixtures("batches_of_two")
@pytest.mark.parametrize("crash_at", range(1, 8))
def test_an_interrupted_purge_is_gone_on_with(
    crash_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        come(-1, address=f"10.0.{number}.0")
    real, calls = retention._delete, iter(range(1, 100))

    def delete(*args: Any) -> int:
        number = real(*args)
        if next(calls) == crash_at:
            raise Crash  # not committed
        return number

    monkeypatch.setattr(retention, "_delete", delete)
    if crash_at < 7:
        with pytest.raises(Crash):
            purge(BEFORE)
        assert IPEntity.objects.count() >= Beacon.objects.count()
    purge(BEFORE)
    assert left() == (0, 0, [])


def test_number_of_statements_grows_with_the_batches_alone(article: Article) -> None:
    numbers = []
    for size in (10, 300):
        write(*(visit(article, entity=ip_entity(f"10.{n}.0.0"), at=OLD) for n in range(size % 256)))
        with CaptureQueriesContext(connection) as queries:
            purge(BEFORE)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 30


@committing
def test_a_database_that_refuses_once_is_asked_again(
    article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(visit(article, at=OLD))
    real, errors = retention._delete, [OperationalError("deadlock")]

    def delete(*args: Any) -> int:
        if errors:
            raise errors.pop()
        return real(*args)

    monkeypatch.setattr(retention, "_delete", delete)
    assert purge(BEFORE) == PurgeReport(beacons=1)


# at the same time


@committing
@servers
def test_who_comes_while_he_is_about_to_be_purged_stays() -> None:
    key = come(-1)
    Beacon.objects.all().delete()
    noted, looked = Event(), Event()

    def come_again() -> None:
        with transaction.atomic():
            Beacon.write_records("default", [visit(entity=ip_entity(key=key), at=NEW)])
            noted.set()
            looked.wait(10)

    def purge_meanwhile() -> int:
        noted.wait(10)
        try:
            return sum(retention._Purger(BEFORE, dry_run=False).visitors(IPEntity, "seen_at"))
        finally:
            looked.set()

    assert in_threads(come_again, purge_meanwhile)[1] == 0
    assert left() == (1, 1, ["192.0.2.0"])
    assert Beacon.objects.get().entity == IPEntity.objects.get(pk=key)


@committing
@servers
def test_who_comes_while_he_is_being_purged_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    key = come(-1)
    real, locked = retention._referred, Event()

    def referred(*args: Any) -> set[Any]:
        locked.set()
        return real(*args)

    def come_again() -> None:
        locked.wait(10)
        write(visit(entity=ip_entity(key=key), at=NEW))

    monkeypatch.setattr(retention, "_referred", referred)
    in_threads(partial(purge, BEFORE), come_again)
    assert Beacon.objects.get().entity == IPEntity.objects.get()
    assert addresses(IPEntity.objects.get()) == ["192.0.2.0"]


@committing
@servers
@pytest.mark.slow
def test_purges_and_folds_at_once_leave_no_beacon_without_its_entity() -> None:
    keys = [come(-1, address=f"10.0.{number}.0") for number in range(20)]

    def come_again(turn: int) -> None:
        for key in keys[::turn]:
            at = NEW if int(key) % 2 else OLD
            seen = visit(entity=ip_entity(f"10.0.{int(key) % 7}.0", key), at=at)
            engine.try_until_committed("default", "a fold", partial(write, seen))

    in_threads(
        partial(come_again, 1), partial(come_again, -1), *(partial(purge, BEFORE) for _ in range(2))
    )
    assert all(beacon.entity is not None for beacon in Beacon.objects.filter(time_created=NEW))
    purge(BEFORE)
    assert all(beacon.entity is not None for beacon in Beacon.objects.all())
    assert IPEntity.objects.count() == len({b.entity_id for b in Beacon.objects.all()})


# the command


def test_command_says_what_it_removed() -> None:
    come(-1, 1)
    for number in range(2):
        come(-1, address=f"10.0.{number}.0")
    assert act("--older-than", "30d", "--dry-run").out == (
        "Would remove 3 beacons, 2 IP entities, 2 addresses.\n"
    )
    assert act("--older-than", "30d").out == "Removed 3 beacons, 2 IP entities, 2 addresses.\n"
    assert act("--older-than", "30d", verbosity=0).out == ""
    assert left() == (1, 1, ["192.0.2.0"])


def test_a_date_is_a_time_too(article: Article) -> None:
    write(*(visit(article, at=datetime(2020, 1, day, tzinfo=UTC)) for day in (1, 2, 3)))
    assert act("--older-than", "2020-01-02").out.startswith("Removed 1 beacon, 0 IP entities, 0 ")


@for_each(
    "arguments, message",
    [
        ([], "required: --older-than"),
        (["--older-than", "a month"], "'a month' is no time"),
        (["--older-than", "2999-01-01"], "still to come: nothing is removed"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        act(*arguments)


@pytest.mark.usefixtures("batches_of_two")
def test_a_signal_ends_it_between_two_transactions(
    article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(*(visit(article, at=OLD) for _ in range(5)))
    real = retention._delete

    def delete(*args: Any) -> int:
        signal.raise_signal(signal.SIGTERM)
        return real(*args)

    monkeypatch.setattr(retention, "_delete", delete)
    with pytest.raises(CommandError, match="what is left goes with the next purge") as raised:
        act("--older-than", "30d")
    assert (raised.value.returncode, Beacon.objects.count()) == (130, 3)
    monkeypatch.setattr(retention, "_delete", real)
    assert act("--older-than", "30d").out.startswith("Removed 3 beacons")


@pytest.mark.usefixtures("batches_of_two")
def test_a_database_that_refuses_is_reported_with_what_was_done(
    article: Article, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(*(visit(article, at=OLD) for _ in range(3)))
    real, steps = retention._delete, iter([True, False])

    def delete(*args: Any) -> int:
        if next(steps):
            return real(*args)
        raise OperationalError("down\x1b")

    monkeypatch.setattr(retention, "_delete", delete)
    with pytest.raises(CommandError, match=r"The database refuses \(down\\x1b\)"):
        act("--older-than", "30d")
    assert Beacon.objects.count() == 1
