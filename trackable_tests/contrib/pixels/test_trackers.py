"""Trackers: who may be registered, and who is called."""

import asyncio
import functools
import logging
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import RequestFactory

from trackable.contrib import pixels as ptrack
from trackable.contrib.pixels.exceptions import PtrackRegistrationError
from trackable.contrib.pixels.payloads import Payload
from trackable.contrib.pixels.trackers import Tracker
from trackable_tests.contrib.pixels.conftest import Calls
from trackable_tests.tables import for_each

REQUEST = RequestFactory().get("/")


@pytest.fixture
def tracker() -> Tracker:
    return Tracker()


# registering


def test_registration_fails_if_object_is_not_a_class(tracker: Tracker) -> None:
    with pytest.raises(PtrackRegistrationError, match=r"not-a-class is not a class, .*"):
        tracker.register("not-a-class")  # type: ignore[type-var]


def test_registration_fails_if_already_registered(tracker: Tracker) -> None:
    class FakePixel(ptrack.TrackingPixel):
        def record(self, request: Any, *args: Any, **kwargs: Any) -> None:
            pass

    tracker.register(FakePixel)
    with pytest.raises(PtrackRegistrationError, match=r"ptrack already has class FakePixel .*"):
        tracker.register(FakePixel)


def test_registration_fails_if_not_subclass_of_tracking_pixel(tracker: Tracker) -> None:
    class FakePixel:
        def record(self, request: Any, *args: Any, **kwargs: Any) -> None:
            pass

    with pytest.raises(PtrackRegistrationError, match=r"FakePixel does not inherit .*"):
        tracker.register(FakePixel)  # type: ignore[type-var]


def test_instance_is_no_class(tracker: Tracker) -> None:
    with pytest.raises(PtrackRegistrationError, match="register the class"):
        tracker.register(Calls().pixel()())  # type: ignore[type-var]


def test_registration_fails_without_record(tracker: Tracker) -> None:
    class Idle(ptrack.TrackingPixel):
        pass

    for pixel in (Idle, ptrack.TrackingPixel):
        with pytest.raises(PtrackRegistrationError, match=r"is abstract: define its record\."):
            tracker.register(pixel)


def test_registration_fails_if_nobody_would_await_it(tracker: Tracker) -> None:
    async def record(self: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        pass

    with pytest.raises(PtrackRegistrationError, match=r"Recorder\.record is async"):
        tracker.register(Calls().pixel(record=record))


def passed_on(function: Any) -> Any:
    """Decorate as most decorators do."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


async def later(self: Any, request: Any, *args: Any, **kwargs: Any) -> None:
    raise NotImplementedError


async def values_later(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    yield


def values(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    yield


@for_each(
    "record, told",
    [
        (passed_on(later), "is async"),
        (staticmethod(later), "is async"),
        (values_later, "is async"),
        (values, "is a generator"),
        (passed_on(values), "is a generator"),
        (5, "cannot be called: it is of type int"),
        (None, "cannot be called"),
    ],
)
def test_registration_fails_if_a_call_would_run_nothing(
    tracker: Tracker, record: Any, told: str
) -> None:
    with pytest.raises(PtrackRegistrationError, match=rf"Recorder\.record {told}"):
        tracker.register(Calls().pixel(record=record))


def test_what_is_async_may_be_made_plain(tracker: Tracker) -> None:
    calls: list[Any] = []

    async def record(*args: Any) -> None:
        calls.append(args[-1])

    tracker.register(Calls().pixel("One", record=async_to_sync(record)))
    tracker.register(Calls().pixel("Other", record=passed_on(async_to_sync(record))))
    tracker.call_callbacks(REQUEST, 1)
    assert calls == [1, 1]


@pytest.mark.parametrize("kind", [staticmethod, classmethod, passed_on, functools.partialmethod])
def test_record_may_be_any_callable(tracker: Tracker, kind: Any) -> None:
    calls: list[Any] = []
    tracker.register(Calls().pixel(record=kind(lambda *args: calls.append(args[-1]))))
    tracker.call_callbacks(REQUEST, 1)
    assert calls == [1]


def test_holder_of_a_name_is_told_where_it_is_from(tracker: Tracker) -> None:
    tracker.register(Calls().pixel(__module__="shop.pixels"))
    with pytest.raises(PtrackRegistrationError, match=r"from shop\.pixels: rename one"):
        tracker.register(Calls().pixel())


def test_failed_registration_leaves_nothing(tracker: Tracker) -> None:
    for wrong in ("text", object, ptrack.TrackingPixel):
        with pytest.raises(PtrackRegistrationError):
            tracker.register(wrong)  # type: ignore[type-var]
    assert tracker._registry == {}


def test_register_decorates(tracker: Tracker) -> None:
    pixel = Calls().pixel()
    assert tracker.register(pixel) is pixel
    assert [*tracker._registry] == ["Recorder"]
    assert type(tracker._registry["Recorder"]) is pixel


def test_class_can_be_unregistered_by_itself_or_its_name(tracker: Tracker) -> None:
    pixel = Calls().pixel()
    for held in (pixel, "Recorder"):
        tracker.register(pixel)
        tracker.unregister(held)
        assert tracker._registry == {}


def test_what_is_not_registered_cannot_be_unregistered(tracker: Tracker) -> None:
    tracker.register(Calls().pixel())
    for other in ("Other", Calls().pixel("Other"), Calls().pixel()):
        with pytest.raises(PtrackRegistrationError, match="is not registered"):
            tracker.unregister(other)


@for_each("other", [None, 7, ["Recorder"], object()])
def test_what_is_neither_a_class_nor_a_name_cannot_be_unregistered(
    tracker: Tracker, other: Any
) -> None:
    with pytest.raises(PtrackRegistrationError, match="is no class, nor the name of one"):
        tracker.unregister(other)


# calling


def test_every_pixel_is_called_in_order(tracker: Tracker) -> None:
    calls = Calls()
    for name in ("B", "A"):
        tracker.register(calls.pixel(name, record=lambda self, *_, **__: calls.append(self)))
    tracker.call_callbacks(REQUEST, 1)
    assert [type(pixel).__name__ for pixel in calls] == ["B", "A"]


def test_pixel_gets_the_request_and_the_arguments(tracker: Tracker) -> None:
    calls: list[Any] = []
    tracker.register(
        Calls().pixel(record=lambda self, *args, **kwargs: calls.append((args, kwargs)))
    )
    tracker.call_callbacks(REQUEST, 1, "two", pixel=3, payload=4, to=5)
    assert calls == [((REQUEST, 1, "two"), {"pixel": 3, "payload": 4, "to": 5})]


def test_pixel_that_is_addressed_is_not_called_with_all(tracker: Tracker) -> None:
    all_calls, addressed = Calls(), Calls()
    tracker.register(all_calls.pixel("All"))
    tracker.register(addressed.pixel("Addressed", is_addressed=True))
    tracker.call(REQUEST, Payload([1], {}))
    assert (all_calls, addressed) == ([([1], {})], [])
    tracker.call(REQUEST, Payload([2], {}, to="Addressed"))
    assert (all_calls, addressed) == ([([1], {})], [([2], {})])


def test_any_pixel_can_be_addressed(tracker: Tracker) -> None:
    one, other = Calls(), Calls()
    tracker.register(one.pixel("One"))
    tracker.register(other.pixel("Other"))
    tracker.call(REQUEST, Payload([1], {}, to="Other"))
    assert (one, other) == ([], [([1], {})])


@pytest.mark.parametrize("to", ["", "Nobody", "recorder", "__class__"])
def test_nobody_is_called_at_an_unknown_address(tracker: Tracker, to: str) -> None:
    calls = Calls()
    tracker.register(calls.pixel())
    tracker.call(REQUEST, Payload([1], {}, to=to))
    assert calls == []


def test_pixel_that_raises_keeps_no_other_from_its_turn(
    tracker: Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    calls = Calls()
    broken = calls.pixel("Broken", record=lambda self, *_, **__: 1 / 0, __module__=__name__)
    tracker.register(broken)
    tracker.register(calls.pixel("Whole"))
    tracker.call_callbacks(REQUEST, email="reader@example.com")
    assert calls == [([], {"email": "reader@example.com"})]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert f"The pixel '{__name__}.Broken' raised 'ZeroDivisionError', " in record.getMessage()
    assert f"{__file__}" in record.getMessage()


@pytest.mark.parametrize("error", [KeyError, ValueError, RuntimeError])
def test_log_never_shows_what_an_image_carries(
    tracker: Tracker, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    def record(self: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        raise error(*args, kwargs) from error(kwargs)

    tracker.register(Calls().pixel(record=record))
    tracker.call_callbacks(REQUEST, "reader@example.com", name="reader@example.com")
    assert error.__name__ in caplog.text
    assert "reader@example.com" not in caplog.text


def test_each_cause_is_logged_once(tracker: Tracker, caplog: pytest.LogCaptureFixture) -> None:
    def record(self: Any, request: Any, number: int) -> None:
        if number % 2:
            raise ValueError(number)
        raise LookupError(number)

    tracker.register(Calls().pixel(record=record))
    for number in range(10):
        tracker.call_callbacks(REQUEST, number)
    assert len(caplog.records) == 2


def test_log_of_a_deep_error_is_short(tracker: Tracker, caplog: pytest.LogCaptureFixture) -> None:
    def record(self: Any, request: Any, number: int) -> None:
        self.record(request, number + 1)

    tracker.register(Calls().pixel(record=record))
    tracker.call_callbacks(REQUEST, 1)
    assert "Recorder' raised 'RecursionError'" in caplog.text
    assert len(caplog.text) < 3000


def test_pixel_that_does_not_take_the_arguments_is_logged(
    tracker: Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    for record in (lambda self, request: None, passed_on(lambda self, request, name: None)):
        caplog.clear()
        pixel = Calls().pixel(record=record, __module__="shop.pixels")
        tracker.register(pixel)
        tracker.call_callbacks(REQUEST, function=1)
        assert "'shop.pixels.Recorder' raised 'TypeError', as its record() does not take" in (
            caplog.text
        )
        tracker.unregister(pixel)


def test_type_error_of_a_pixel_is_not_put_down_to_its_arguments(
    tracker: Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    tracker.register(Calls().pixel(record=lambda self, request, *args: len(*args)))
    tracker.call_callbacks(REQUEST, 1)
    assert "Recorder' raised 'TypeError', after:" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        BaseExceptionGroup("several", [asyncio.CancelledError(), ValueError()]),
        ExceptionGroup("several", [ValueError()]),
    ],
)
def test_what_was_cancelled_in_a_pixel_keeps_no_other_from_its_turn(
    tracker: Tracker, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    calls = Calls()
    tracker.register(calls.pixel("Cancelled", record=raising(error)))
    tracker.register(calls.pixel())
    tracker.call_callbacks(REQUEST, 1)
    assert calls == [([1], {})]
    assert f"Cancelled' raised '{type(error).__name__}'" in caplog.text


def raising(error: BaseException) -> Any:
    def record(self: Any, request: Any, *args: Any) -> None:
        raise error

    return record


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(),
        KeyboardInterrupt(),
        GeneratorExit(),
        BaseExceptionGroup("several", [ValueError(), BaseExceptionGroup("", [SystemExit()])]),
    ],
)
def test_process_can_still_be_ended_in_a_pixel(tracker: Tracker, error: BaseException) -> None:
    tracker.register(Calls().pixel(record=raising(error)))
    with pytest.raises(type(error)):
        tracker.call_callbacks(REQUEST, 1)


def test_pixel_may_unregister_itself_when_called(tracker: Tracker) -> None:
    calls = Calls()
    tracker.register(
        calls.pixel("Once", record=lambda self, request, *args: tracker.unregister("Once"))
    )
    tracker.register(calls.pixel())
    tracker.call_callbacks(REQUEST, 1)
    assert (calls, [*tracker._registry]) == ([([1], {})], ["Recorder"])
