"""Entities: captured from a request, found or made by a fold; IP entities and their addresses."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection, models, transaction
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.utils import timezone

from trackable.contrib.beacons import entities, sightings
from trackable.contrib.beacons.models import IP, Beacon, IPEntity
from trackable.contrib.beacons.routing import check_routing
from trackable_tests.bounds.databases import BLOCKED_POLL_SECONDS, blocked, servers
from trackable_tests.bounds.threads import in_threads
from trackable_tests.contrib.beacons.visits import AT, ENTITY, addresses, ip_entity, visit, write
from trackable_tests.contrib.campaigns.models import ExternalLink, Reader, Ticket
from trackable_tests.faults.waiting import until
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db

committing = pytest.mark.django_db(transaction=True)
LATER = AT + timedelta(hours=1)


def request_from(address: str = "192.0.2.77", **headers: str) -> HttpRequest:
    return RequestFactory().get("/", REMOTE_ADDR=address, headers=headers)


# capture


def test_a_snapshot_travels_and_asks_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        captured = entities.capture(request_from(), IPEntity, "5")
    assert captured == [ENTITY, "5", {"address": "192.0.2.0"}]
    assert json.loads(json.dumps(captured)) == captured
    assert entities.capture(request_from(), IPEntity) == [ENTITY, None, {"address": "192.0.2.0"}]


@for_each("key", ["", "x", "1.5", "9" * 30, "-" * 70, "1\0", "\ud800", "٣٣x"])
def test_what_is_no_number_is_no_entity_that_there_is(key: str) -> None:
    for model in (IPEntity, Ticket, Reader):
        label, kept, _ = entities.capture(request_from(), model, key)
        assert label == model._meta.label
        assert (kept is None) == (model is not Reader)
    assert Reader.objects.count() == 1


def test_an_entity_that_needs_the_request_is_updated_at_once() -> None:
    request = request_from(**{"User-Agent": "Lynx"})
    label, key, snapshot = entities.capture(request, Reader)
    reader = Reader.objects.get()
    assert (label, key, snapshot) == ("campaigns.Reader", str(reader.pk), None)
    entities.capture(request, Reader, reader.pk)
    reader.refresh_from_db()
    assert (reader.user_agent, reader.visits) == ("Lynx", 2)


def test_a_visitor_chooses_no_number_of_a_sequence() -> None:
    _, key, _ = entities.capture(request_from(), Reader, "5000")
    assert (Reader.objects.get().pk, key) == (int(key), key)
    assert key != "5000"
    (beacon,) = write(visit(entity=["campaigns.Ticket", "5000", None]))
    assert Ticket.objects.get().pk == int(beacon.entity_id) != 5000


def test_a_key_that_no_database_makes_is_the_visitors() -> None:
    key = uuid4()
    captured = entities.capture(request_from(), ExternalLink, key.hex)
    assert captured == ["campaigns.ExternalLink", str(key), None]
    for _ in range(2):
        write(visit(entity=captured))
    assert {beacon.entity_id for beacon in Beacon.objects.all()} == {str(key)}
    assert ExternalLink.objects.get().pk == key


def test_a_key_with_a_default_is_made_by_the_model() -> None:
    label, key, _ = entities.capture(request_from(), ExternalLink)
    assert key is None
    (beacon,) = write(visit(entity=[label, key, None]))
    assert str(ExternalLink.objects.get().pk) == beacon.entity_id


@for_each(
    "model, key",
    [(ExternalLink, "5"), (ExternalLink, "x\0"), (Session, None), (Session, "a" * 41)],
)
def test_a_key_that_cannot_be_is_an_error_where_no_database_makes_them(
    model: Any, key: Any
) -> None:
    with pytest.raises(ValueError, match=r"."):
        entities.capture(request_from(), model, key)


@committing
@servers
def test_two_requests_for_one_entity_lose_nothing() -> None:
    reader = Reader.objects.create()

    def come() -> None:
        for _ in range(10):
            entities.capture(request_from(), Reader, reader.pk)

    in_threads(come, come)
    reader.refresh_from_db()
    assert reader.visits == 20


@committing
@servers
def test_two_requests_make_an_entity_of_a_chosen_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(link: ExternalLink, _: HttpRequest) -> None:
        link.url += "."

    monkeypatch.setattr(ExternalLink, "beacon_update", look, raising=False)
    for _ in range(5):
        key = uuid4()
        come = partial(entities.capture, request_from(), ExternalLink, key)
        in_threads(come, come)
        assert ExternalLink.objects.get(pk=key).url == ".."


def look(session: Session, _: HttpRequest) -> None:
    session.session_data += "."
    session.expire_date = LATER


def test_a_visit_that_is_overtaken_by_the_first_one_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Session, "beacon_update", look, raising=False)
    entities.capture(request_from(), Session, "text")
    found = entities._locked
    looks = iter([lambda *_: None])  # at first, it looked before the other one was there
    monkeypatch.setattr(entities, "_locked", lambda *given: next(looks, found)(*given))
    entities.capture(request_from(), Session, "text")
    assert Session.objects.get(pk="text").session_data == ".."


@committing
@servers
def test_two_first_visits_that_interleave_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, overtaken = Event(), Event()

    def look_slowly(session: Session, request: HttpRequest) -> None:
        look(session, request)
        if not looked.is_set():
            looked.set()
            assert overtaken.wait(20)

    def overtake() -> None:
        assert looked.wait(20)
        entities.capture(request_from(), Session, "text")
        overtaken.set()

    monkeypatch.setattr(Session, "beacon_update", look_slowly, raising=False)
    in_threads(partial(entities.capture, request_from(), Session, "text"), overtake)
    assert Session.objects.get(pk="text").session_data == ".."


# what a model of one's own has


def notes(ticket: Ticket, snapshot: Any) -> None:
    NOTED.append((ticket.pk, snapshot))


NOTED: list[tuple[int, Any]] = []


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Any]]:
    """Have tickets note what was seen, one by one."""
    NOTED.clear()
    snapshot = staticmethod(lambda request: request.META["REMOTE_ADDR"])
    monkeypatch.setattr(Ticket, "beacon_snapshot", snapshot, raising=False)
    monkeypatch.setattr(Ticket, "beacon_record", notes, raising=False)
    return NOTED


def test_a_fold_has_the_entity_note_what_was_seen(noting: list[Any]) -> None:
    known = Ticket.objects.create()
    seen = [
        entities.capture(request_from(), Ticket, key) for key in (known.pk, None, known.pk + 1000)
    ]
    assert Ticket.objects.count() == 1
    beacons = write(*(visit(entity=each) for each in seen))
    assert [beacon.entity_id for beacon in beacons] == [str(key) for key, _ in noting]
    assert [snapshot for _, snapshot in noting] == ["192.0.2.77"] * 3
    assert noting[0][0] == known.pk
    assert Ticket.objects.count() == 3


def test_keys_are_put_where_they_belong() -> None:
    tickets = [Ticket.objects.create() for _ in range(3)]
    mixed = [
        visit(entity=["campaigns.Ticket", str(tickets[2].pk), None]),
        visit(),
        visit(entity=ip_entity()),
        visit(entity=["campaigns.Ticket", str(tickets[0].pk), None]),
    ]
    beacons = write(*mixed)
    assert [beacon.entity for beacon in beacons] == [
        tickets[2],
        None,
        IPEntity.objects.get(),
        tickets[0],
    ]


def test_an_entity_whose_key_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    many = classmethod(lambda cls, alias, found: ["x" * 65 for _ in found])
    monkeypatch.setattr(Ticket, "beacon_record_many", many, raising=False)
    with pytest.raises(ValueError, match="a key of 65 characters"):
        write(visit(entity=["campaigns.Ticket", None, None]))


@pytest.mark.django_db(databases=["default", "other"])
def test_a_model_that_is_routed_elsewhere_is_made_there(settings: Any) -> None:
    settings.TEST_DATABASE_OF = {"campaigns.Ticket": "other"}
    (beacon,) = write(visit(entity=["campaigns.Ticket", None, None]))
    assert str(Ticket.objects.using("other").get().pk) == beacon.entity_id
    assert not Ticket.objects.using("default").exists()


def test_routers_that_part_entities_from_beacons_are_told_of(settings: Any) -> None:
    assert list(check_routing()) == []
    settings.TEST_DATABASE_OF = {f"trackable_beacons.{name}": "other" for name in ("IP",)}
    assert [message.id for message in check_routing()] == ["trackable_beacons.E101"]
    settings.TEST_DATABASE_OF["trackable_beacons.IPEntity"] = "other"
    assert [message.id for message in IPEntity.check()] == ["trackable_beacons.W101"]


# addresses


@for_each(
    "address, kept",
    [
        ("192.0.2.77", "192.0.2.0"),
        ("::ffff:192.0.2.77", "192.0.2.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("nonsense", None),
        ("", None),
    ],
)
def test_addresses_are_anonymised(address: str, kept: str | None) -> None:
    assert IPEntity.beacon_snapshot(request_from(address)) == {"address": kept}


def test_addresses_are_whole_only_if_one_says_so(settings: Any) -> None:
    settings.BEACON_ANONYMISE_ADDRESSES = False
    assert IPEntity.beacon_snapshot(request_from("192.0.2.77")) == {"address": "192.0.2.77"}


def test_what_trusted_proxies_say_counts(settings: Any) -> None:
    request = request_from("10.0.0.1", **{"X-Forwarded-For": "198.51.100.7"})
    assert IPEntity.beacon_snapshot(request) == {"address": "10.0.0.0"}
    settings.TRACKABLE_TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert IPEntity.beacon_snapshot(request) == {"address": "198.51.100.0"}


def test_an_entity_has_each_address_once() -> None:
    (first,) = write(visit(entity=ip_entity("192.0.2.0")))
    for address in ("192.0.2.0", "::ffff:192.0.2.0", "2001:db8::", "2001:DB8:0::", "::1.2.3.4"):
        write(visit(entity=ip_entity(address, first.entity_id)))
    entity = IPEntity.objects.get()
    assert addresses(entity) == addresses()
    assert IP.objects.count() == 3


def test_entities_share_addresses() -> None:
    write(*(visit(entity=ip_entity()) for _ in range(3)))
    assert IP.objects.get().entities.count() == IPEntity.objects.count() == 3


def test_an_address_that_cannot_be_known_is_none() -> None:
    write(visit(entity=ip_entity(None)))
    assert addresses(IPEntity.objects.get()) == addresses() == []


def test_times_are_those_of_the_last_visit_in_whatever_order() -> None:
    (beacon,) = write(visit(entity=ip_entity(), at=AT))
    key = beacon.entity_id
    write(visit(entity=ip_entity(key=key), at=LATER), visit(entity=ip_entity(key=key), at=AT))
    write(visit(entity=ip_entity(key=key), at=AT - timedelta(days=1)))
    assert (IPEntity.objects.get().seen_at, IP.objects.get().owned_time) == (LATER, LATER)


def test_an_entity_that_never_came_has_no_time() -> None:
    entity = IPEntity.objects.create()
    assert entity.seen_at is None
    write(visit(entity=ip_entity(key=entity.pk)))
    entity.refresh_from_db()
    assert entity.seen_at == AT


def test_a_request_is_noted_at_once_by_the_old_name() -> None:
    entity = IPEntity()
    before = timezone.now()
    for address in ("192.0.2.1", "198.51.100.1", "192.0.2.2"):
        entity.beacon_update(request_from(address))
    assert entity == IPEntity.objects.get()
    assert addresses(entity) == ["192.0.2.0", "198.51.100.0"]
    assert entity.seen_at is not None
    assert before <= entity.seen_at <= timezone.now()


def test_an_address_that_the_database_does_not_keep_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sightings, "_rows_of", lambda *_: {})
    with pytest.raises(DatabaseError, match="keeps no row for 1 addresses"):
        write(visit(entity=ip_entity()))


def test_a_database_that_tells_no_keys_is_asked_for_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        type(connection.features), "can_return_rows_from_bulk_insert", False, raising=False
    )
    beacons = write(*(visit(entity=ip_entity()) for _ in range(3)))
    keys = {str(key) for key in IPEntity.objects.values_list("pk", flat=True)}
    assert {beacon.entity_id for beacon in beacons} == keys


@committing
@isolate_apps("trackable_tests.contrib.campaigns")
def test_a_model_that_inherits_from_ip_entities_has_addresses_too() -> None:
    class Guest(IPEntity):
        name = models.CharField(max_length=9, default="guest")

        class Meta:
            app_label = "campaigns"

    with connection.schema_editor() as editor:
        editor.create_model(Guest)
    try:
        for _ in range(2):
            known = list(Guest.objects.values_list("pk", flat=True))
            found = [(key, {"address": "192.0.2.0"}, LATER) for key in (*known, None)]
            with transaction.atomic():
                keys = Guest.beacon_record_many("default", found)
        assert keys == [guest.pk for guest in Guest.objects.filter(seen_at=LATER).order_by("pk")]
        assert [addresses(guest) for guest in Guest.objects.all()] == [["192.0.2.0"]] * 2
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Guest)


# at the same time


@committing
@servers
@pytest.mark.slow
def test_folds_that_meet_on_new_addresses_neither_fail_nor_double() -> None:
    entity = IPEntity.objects.create()

    def come(turn: int) -> None:
        for number in range(10):
            texts = [f"10.0.{number}.0", f"10.0.{9 - number}.0", f"10.1.{number}.0"][::turn]
            entities_ = [ip_entity(text, entity.pk) for text in texts]
            with transaction.atomic():
                Beacon.write_records("default", [visit(entity=each) for each in entities_])

    in_threads(partial(come, 1), partial(come, -1), partial(come, 1))
    assert (Beacon.objects.count(), IP.objects.count()) == (90, 20)
    assert entity.ip_addresses.count() == 20


@committing
@servers
def test_requests_that_meet_on_a_new_address_neither_fail_nor_double() -> None:
    for number in range(5):
        request = request_from(f"10.0.{number}.1")
        in_threads(*(partial(IPEntity().beacon_update, request) for _ in range(3)))
        assert IP.objects.count() == number + 1


@committing
@servers
def test_a_fold_waits_for_another_that_makes_the_same_address() -> None:
    made = Event()

    def make_slowly() -> None:
        with transaction.atomic():
            Beacon.write_records("default", [visit(entity=ip_entity())])
            made.set()
            until(blocked, every=BLOCKED_POLL_SECONDS)

    def make_then() -> None:
        made.wait()
        write(visit(entity=ip_entity()))

    in_threads(make_slowly, make_then)
    assert (Beacon.objects.count(), IP.objects.count()) == (2, 1)
    assert IPEntity.objects.count() == 2
