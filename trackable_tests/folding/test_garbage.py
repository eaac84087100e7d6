"""Garbage: the collector of cycles is put off, and comes back as it was."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from trackable.folding import garbage


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    yield
    gc.enable()


def test_the_collector_is_put_off_and_comes_back() -> None:
    with garbage.paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_comes_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="unfit"), garbage.paused():
        raise ValueError("unfit")
    assert gc.isenabled()


def test_what_was_switched_off_stays_off() -> None:
    gc.disable()
    with garbage.paused():
        pass
    assert not gc.isenabled()


def test_of_two_at_once_the_first_one_brings_it_back() -> None:
    one, other = garbage.paused(), garbage.paused()
    one.__enter__()
    other.__enter__()
    other.__exit__(None, None, None)
    assert not gc.isenabled()
    one.__exit__(None, None, None)
    assert gc.isenabled()


def test_a_child_that_is_forked_meanwhile_has_it() -> None:
    with garbage.paused():
        child = os.fork()
        if child == 0:
            os._exit(not gc.isenabled())
        assert os.waitpid(child, 0)[1] == 0
        assert not gc.isenabled()
