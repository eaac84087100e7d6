"""Steps: the places of the protocol at which a process can die."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final
from unittest import mock

from trackable.broker import Claim
from trackable.folding import collect, ledger, quarantine, upsert
from trackable.journal.segments import Segment
from trackable_tests.counting import Crash
from trackable_tests.protocol.fake_broker import FakeBroker

PLACES: Final[tuple[tuple[Any, str], ...]] = (
    (FakeBroker, "publish"),
    (Segment, "become"),
    (Segment, "remove"),
    (collect, "fold"),
    (ledger, "claim"),
    (upsert, "add"),
    (quarantine, "put"),
    (Claim, "ack"),
    (ledger, "prune"),
)


class Steps:
    """Counts the steps that a process takes, and has it die after so many."""

    def __init__(self) -> None:
        self._left: int | None = None

    @contextmanager
    def dying_after(self, number: int | None) -> Iterator[None]:
        """Let what runs die after so many steps; ``None`` lets it live."""
        self._left = number
        try:
            with suppress(Crash):
                yield
        finally:
            self._left = None

    def _pass(self) -> None:
        if self._left is None:
            return
        if self._left == 0:
            self._left = None
            raise Crash
        self._left -= 1

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Have each place be two steps: before and after what is done there."""
        with ExitStack() as patches:
            for owner, name in PLACES:
                counted = self._around(getattr(owner, name))
                patches.enter_context(mock.patch.object(owner, name, counted))
            yield

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any, **kwargs: Any) -> Any:
            self._pass()
            result = function(*args, **kwargs)
            self._pass()
            return result

        return act
