"""The broker: publish, claim, ack; the same contract for every kombu transport."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
import redis
from kombu import Connection, Producer

from trackable import batches, broker
from trackable.batches import Batch, Entry, Malformed
from trackable.broker import Broker
from trackable.exceptions import BrokerUnavailable
from trackable.journal import segments

LABEL = "testapp.PageTotals"
OTHER_LABEL = "testapp.PageHours"


def batch(label: str = LABEL, amount: Any = 3) -> Batch:
    entry = Entry("testapp.Page", "1", "", "views", amount, 3)
    return Batch.of(batches.batch_id(segments.new_id(), label), label, (entry,))


class BrokerContract:
    """What holds for each transport; subclasses name their broker in the settings."""

    @pytest.fixture
    def subject(self) -> Iterator[Broker]:
        with Broker() as subject:
            yield subject

    def test_what_is_published_is_claimed_as_it_was(self, subject: Broker) -> None:
        sent = batch(amount=Decimal("1.50"))
        subject.publish(sent)
        claim = subject.claim(LABEL)
        assert claim is not None
        assert claim.batch == sent
        claim.ack()

    def test_an_empty_queue_gives_nothing(self, subject: Broker) -> None:
        assert subject.claim(LABEL) is None

    def test_a_claim_is_given_to_nobody_else(self, subject: Broker) -> None:
        subject.publish(batch())
        first = subject.claim(LABEL)
        assert first is not None
        assert subject.claim(LABEL) is None
        first.ack()

    def test_a_claim_that_is_not_acknowledged_comes_back(self, subject: Broker) -> None:
        subject.publish(batch())
        with Broker() as crashed:
            assert crashed.claim(LABEL) is not None
        again = subject.claim(LABEL)
        assert again is not None
        again.ack()

    def test_what_is_acknowledged_does_not_come_back(self, subject: Broker) -> None:
        subject.publish(batch())
        with Broker() as other:
            claim = other.claim(LABEL)
            assert claim is not None
            claim.ack()
        assert subject.claim(LABEL) is None

    def test_each_data_class_has_its_queue(self, subject: Broker) -> None:
        subject.publish(batch(OTHER_LABEL))
        assert subject.claim(LABEL) is None
        assert subject.depth(OTHER_LABEL) == 1

    def test_classes_that_are_gone_share_a_queue(self, subject: Broker) -> None:
        subject.publish(batch("gone.Gone"))
        claim = subject.claim(broker.UNKNOWN)
        assert claim is not None
        assert claim.batch.data_class == "gone.Gone"
        claim.ack()

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"garbage", "application/json"),
            (b"{}", "application/json"),
            (b"\x80\x04N.", "application/x-python-serialize"),
            (b"text", "text/plain"),
        ],
    )
    def test_what_is_no_batch_comes_as_malformed(
        self, subject: Broker, settings: Any, body: bytes, content_type: str
    ) -> None:
        subject.depth(LABEL)  # declares the queue
        publish_raw(settings.TRACKABLE_BROKER_URL, body, content_type)
        claim = subject.claim(LABEL)
        assert claim is not None
        assert isinstance(claim.batch, Malformed)
        assert claim.batch.body == body
        claim.ack()

    @pytest.mark.parametrize("codec", ["zlib", "bzip2", "lzma", "none such", 5])
    def test_what_claims_to_be_compressed_comes_as_it_is(
        self, subject: Broker, settings: Any, codec: Any
    ) -> None:
        subject.depth(LABEL)
        url = settings.TRACKABLE_BROKER_URL
        publish_raw(url, b"garbage", headers={"compression": codec})
        subject.publish(sent := batch())
        assert bodies_of(subject) == [b"garbage", sent]
        with Broker() as other:
            assert other.claim(LABEL) is None

    def test_nothing_is_unpacked(self, subject: Broker, settings: Any) -> None:
        """A few bytes of a stranger's could be gigabytes."""
        subject.depth(LABEL)
        packed = zlib.compress(b"0" * (1 << 22))
        publish_raw(settings.TRACKABLE_BROKER_URL, packed, headers={"compression": "zlib"})
        claim = subject.claim(LABEL)
        assert claim is not None
        assert isinstance(claim.batch, Malformed)
        assert (claim.batch.body, claim.length_bytes) == (packed, len(packed))
        claim.ack()

    @pytest.mark.parametrize(
        "odd",
        [
            {"content_encoding": "none such"},
            {"content_type": "application/x-none-such", "content_encoding": "none such"},
            {"content_type": "text/plain", "headers": {"compression": "bzip2"}},
        ],
    )
    def test_codecs_that_nobody_knows_do_no_harm(
        self, subject: Broker, settings: Any, odd: dict[str, Any]
    ) -> None:
        subject.depth(LABEL)
        publish_raw(settings.TRACKABLE_BROKER_URL, b"\xff", **odd)
        subject.publish(sent := batch())
        assert bodies_of(subject) == [b"\xff", sent]


def bodies_of(subject: Broker) -> list[Any]:
    """Claim and acknowledge what waits: batches, and the bodies of what is none."""
    found: list[Any] = []
    while (claim := subject.claim(LABEL)) is not None:
        found.append(claim.batch.body if isinstance(claim.batch, Malformed) else claim.batch)
        claim.ack()
    return found


def publish_raw(
    url: str, body: bytes, content_type: str = broker.CONTENT_TYPE, **options: Any
) -> None:
    with Connection(url, transport_options={"confirm_publish": True}) as connection:
        Producer(connection.channel(), auto_declare=False).publish(
            body,
            exchange="",
            routing_key=broker.queue_name(LABEL),
            content_type=content_type,
            **{"content_encoding": "binary", **options},
        )


def a_message_of_kombus(properties: Any = MappingProxyType({}), **changes: Any) -> str:
    """Return a message as kombu keeps it in Redis, with something odd about it."""
    usual = {
        "delivery_tag": "tag",
        "delivery_info": {"exchange": "", "routing_key": "x"},
        "body_encoding": "base64",
    }
    odd = {**usual, **properties} if isinstance(properties, Mapping) else properties
    message = {"body": "eHg=", "content-encoding": "utf-8", "content-type": broker.CONTENT_TYPE}
    return json.dumps({**message, "headers": {}, "properties": odd, **changes})


ODD_IN_REDIS = [
    "null",
    "[]",
    '"x"',
    b"\xff",
    "[" * 100_000,
    a_message_of_kombus(headers="x"),
    a_message_of_kombus(headers=[1]),
    a_message_of_kombus(headers={"compression": "zlib"}),
    a_message_of_kombus(properties=None),
    a_message_of_kombus(properties=[]),
    a_message_of_kombus({"delivery_info": None}),
    a_message_of_kombus({"body_encoding": "none such"}),
    a_message_of_kombus({"body_encoding": 5}),
    a_message_of_kombus(body=None),
    a_message_of_kombus(body=5),
    a_message_of_kombus(body={"a": 1}),
    a_message_of_kombus(body="%%%"),
    a_message_of_kombus(**{"content-type": 5}),
    a_message_of_kombus(**{"content-encoding": 5}),
]


class TestRedis(BrokerContract):
    @pytest.fixture(autouse=True)
    def url(self, settings: Any, redis_url: str) -> None:
        settings.TRACKABLE_BROKER_URL = redis_url

    def test_what_is_no_message_of_kombu_is_passed_over(
        self, subject: Broker, redis_url: str
    ) -> None:
        subject.publish(batch())
        with redis.Redis.from_url(redis_url) as client:
            client.rpush(broker.queue_name(LABEL), "garbage", "{}", '{"properties": 1}')
        found = []
        while (claim := subject.claim(LABEL)) is not None:
            found.append(type(claim.batch))
            claim.ack()
        assert found == [Malformed, Malformed, Malformed, Batch]

    @pytest.mark.parametrize("odd", ODD_IN_REDIS, ids=lambda odd: odd[:150])
    def test_odd_messages_keep_nothing_from_being_claimed(
        self, subject: Broker, redis_url: str, odd: Any
    ) -> None:
        subject.publish(sent := batch())
        with redis.Redis.from_url(redis_url) as client:
            client.rpush(broker.queue_name(LABEL), odd)
        assert bodies_of(subject)[1:] == [sent]
        with Broker() as other:
            assert other.claim(LABEL) is None

    def test_the_claims_of_a_folder_that_died_are_given_to_another(
        self, subject: Broker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subject.publish(batch())
        crashed = Broker()
        assert crashed.claim(LABEL) is not None
        crashed._connection = crashed._channel = None
        assert subject.claim(LABEL) is None
        monkeypatch.setattr(broker, "CLAIM_SECONDS", -1)
        with Broker() as later:
            claim = later.claim(LABEL)
            assert claim is not None
            claim.ack()


class TestRabbitMQ(BrokerContract):
    @pytest.fixture(autouse=True)
    def url(self, settings: Any, rabbitmq_url: str) -> None:
        settings.TRACKABLE_BROKER_URL = rabbitmq_url

    def test_a_message_without_a_queue_is_an_error(self, subject: Broker) -> None:
        subject.publish(batch())
        subject._bound_queue(broker.queue_name(LABEL)).delete()
        with pytest.raises(BrokerUnavailable):
            subject.publish(batch())
        subject.publish(batch())  # a new connection declares it again
        assert subject.depth(LABEL) == 1


class TestQuorumQueues(BrokerContract):
    @pytest.fixture(autouse=True)
    def url(self, settings: Any, rabbitmq_url: str) -> None:
        settings.TRACKABLE_BROKER_URL = rabbitmq_url
        settings.TRACKABLE_QUEUE_ARGUMENTS = {"x-queue-type": "quorum"}


def test_no_broker_is_configured_by_none(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = None
    assert not broker.is_configured()


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_a_broker_that_is_away_is_said_to_be(settings: Any, scheme: str) -> None:
    settings.TRACKABLE_BROKER_URL = f"{scheme}://127.0.0.1:1//"
    with Broker() as subject, pytest.raises(BrokerUnavailable):
        subject.publish(batch())


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_a_broker_that_swallows_packets_is_given_up(
    settings: Any, scheme: str, silent_port: int
) -> None:
    settings.TRACKABLE_BROKER_TIMEOUT = 0.2
    settings.TRACKABLE_BROKER_URL = f"{scheme}://127.0.0.1:{silent_port}//"
    started = time.monotonic()
    with Broker() as subject, pytest.raises(BrokerUnavailable):
        subject.claim(LABEL)
    assert time.monotonic() - started < 10


def test_an_unknown_transport_is_a_clear_error(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = "nosuch://127.0.0.1"
    with Broker() as subject, pytest.raises(BrokerUnavailable, match="nosuch"):
        subject.claim(LABEL)
