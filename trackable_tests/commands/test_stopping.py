"""A signal asks a command to end; a second one works as ever."""

import signal
import threading
import time

import pytest

from trackable.management.stopping import SIGNALS, Stop

LONG_SECONDS = 60


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_is_a_request_and_ends_the_pause(number: signal.Signals) -> None:
    before = time.monotonic()
    with Stop() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        stop.wait(LONG_SECONDS)
        assert stop.requested
    assert time.monotonic() - before < LONG_SECONDS


def test_signal_within_the_pause_ends_it() -> None:
    with Stop() as stop:
        main = threading.main_thread().ident
        assert main is not None
        threading.Timer(0.01, signal.pthread_kill, [main, signal.SIGTERM]).start()
        stop.wait(LONG_SECONDS)
        assert stop.requested


def test_second_signal_works_as_ever() -> None:
    # A shell starts what runs in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Stop():
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stop():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_in_another_thread_it_only_waits() -> None:
    waited = []

    def wait() -> None:
        with Stop() as stop:
            stop.wait(0)
            waited.append(stop.requested)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert waited == [False]
