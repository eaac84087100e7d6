"""For users' own tests: what is emitted goes to a list, as mail goes to ``mail.outbox``.

Nothing is written to disk meanwhile, no thread starts and no broker is asked. Errors of the
program raise, as they do under ``DEBUG``.
"""

from __future__ import annotations

import unittest
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.apps import apps

from trackable import counting, filtering, messaging, records, sites
from trackable.broker import Claim
from trackable.counters import Amount, counters_of
from trackable.diversion import divert
from trackable.journal import lines, segments
from trackable.periods import decode_start
from trackable.uniques.fields import uniques_of
from trackable.uniques.pseudonyms import MARK

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData

    MixinBase = unittest.TestCase
else:
    MixinBase = object

__all__ = ["Increment", "Outbox", "Record", "TrackableTestMixin", "Visitor", "capture"]


@dataclass(frozen=True, slots=True)
class Increment:
    """An increment as it was emitted; a decrement's amount is negative.

    ``data_class`` and ``model`` are labels, such as ``"app.PageData"``. ``collected_during`` is
    the start of the period that it counts for, as its row will have it.
    """

    data_class: str
    model: str
    object_id: str
    field_name: str
    amount: Amount
    collected_during: date | datetime | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells its counter from others, whatever the period."""
        return self.data_class, self.model, self.object_id, self.field_name


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who was seen by a distinct count, as it was emitted: with a hash for the key."""

    data_class: str
    model: str
    object_id: str
    field_name: str
    pseudonym: str
    collected_during: date | datetime | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells the distinct count from others, whatever the period."""
        return self.data_class, self.model, self.object_id, self.field_name


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was emitted: the label of its class, and its values."""

    record_class: str
    values: dict[str, Any]


Emitted = Increment | Visitor | Record


class Outbox(list[Increment]):
    """What was emitted and will be counted, in order. What is removed from it is not folded."""

    def __init__(self) -> None:
        super().__init__()
        #: who was seen by distinct counts, in order; they fold in the same way
        self.visitors: list[Visitor] = []
        #: the records, in order; they too
        self.records: list[Record] = []
        #: hits that the spider filter kept out, by the label of their data class
        self.filtered: Counter[str] = Counter()
        self._waiting: list[_Line] = []

    def of(
        self, obj: Model, field_name: str, data_cls: type[TrackableData] | None = None
    ) -> list[Increment]:
        """Return the increments of an object's counter, in one data class or in all of them.

        Raises what an emit would raise for it under ``DEBUG``.
        """
        wanted = [data_cls] if data_cls else _data_classes_with(obj, field_name)
        keys = {messaging.key_of(obj, field_name, each) for each in wanted}
        return [increment for increment in self if increment.key in keys]

    def total(
        self, obj: Model, field_name: str, data_cls: type[TrackableData] | None = None
    ) -> Any:
        """Return the sum of the amounts of an object's counter; decrements take from it."""
        return sum(increment.amount for increment in self.of(obj, field_name, data_cls))

    def uniques(
        self, obj: Model, field_name: str, data_cls: type[TrackableData] | None = None
    ) -> int:
        """Return how many different keys were emitted for an object's distinct count.

        In one data class, or in the one that an emit would take. Raises what that would raise.
        """
        key = messaging.key_of(obj, field_name, data_cls, uniques_of)
        return len({each.pseudonym for each in self.visitors if each.key == key})

    def fold(self) -> int:
        """Fold what was not folded before, and return the number of increments folded.

        A record is one too, and so is a visitor who was seen.

        The increments stay in the list. Works in the transaction of a ``TestCase``.
        ``process_messages`` does the same for as long as this outbox receives.
        """
        with divert(self):
            return messaging.process_messages()

    def clear(self) -> None:
        """Forget everything, and what was filtered too."""
        super().clear()
        self.visitors.clear()
        self.records.clear()
        self.filtered.clear()
        self._waiting.clear()

    def take(self, data_class: str, line: bytes) -> bool:
        emitted = None if data_class == filtering.LABEL else _decode(line)
        match emitted:
            case Increment():
                self.append(emitted)
            case Visitor():
                self.visitors.append(emitted)
            case Record():
                self.records.append(emitted)
            case None if data_class != filtering.LABEL:
                self.filtered[data_class] += 1
        self._waiting.append(_Line(data_class, line, emitted))
        return True

    def claims(self, data_classes: Collection[str] | None) -> Iterator[Claim]:
        kept = {id(emitted) for emitted in (*self, *self.visitors, *self.records)}
        for label in dict.fromkeys(line.data_class for line in self._waiting):
            if data_classes is not None and label not in data_classes:
                continue
            claimed = [line for line in self._waiting if line.data_class == label]
            content = b"".join(line.text for line in claimed if line.is_among(kept))
            found = counting.of_lines(segments.new_id(), content)
            for batch in found:
                yield Claim(batch, _Receipt(self._waiting, claimed))


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    data_class: str
    text: bytes
    #: ``None`` for what tells that a hit was filtered
    emitted: Emitted | None

    def is_among(self, identities: Collection[int]) -> bool:
        return self.emitted is None or id(self.emitted) in identities


@dataclass(frozen=True, slots=True)
class _Receipt:
    """Stands for a broker's message: once folded, its lines no longer wait."""

    waiting: list[_Line]
    claimed: list[_Line]

    def ack(self) -> None:
        for line in self.claimed:
            self.waiting.remove(line)


def _decode(line: bytes) -> Emitted | None:
    match lines.decode(line.rstrip(b"\n")):
        case [label, *counter, 1] if records.is_record(counter):
            return Record(label, records.values_of(counter))
        case [label, model, object_id, start, field_name, amount]:
            during = decode_start(apps.get_model(label).period, start)
            name, mark, pseudonym = field_name.partition(MARK)
            if mark:
                return Visitor(label, model, object_id, name, pseudonym, during)
            amount = Decimal(amount) if isinstance(amount, str) else amount
            return Increment(label, model, object_id, field_name, amount, during)
    return None


def _data_classes_with(obj: Model, field_name: str) -> list[type[TrackableData] | None]:
    """Return the data classes that have the counter, or ``None`` to have that found out."""
    found = sites.data_classes_of(type(obj))
    return [data_cls for data_cls in found if field_name in counters_of(data_cls)] or [None]


@contextmanager
def capture() -> Iterator[Outbox]:
    """Have everything that this process emits go to the outbox that this returns."""
    outbox = Outbox()
    with divert(outbox):
        yield outbox


class TrackableTestMixin(MixinBase):
    """For test cases: an empty ``self.trackable_outbox`` for each test, and assertions on it.

    ``class ViewTests(TrackableTestMixin, TestCase)``. What is emitted while the class is set up
    is not in it.
    """

    trackable_outbox: Outbox

    @classmethod
    def setUpClass(cls) -> None:
        cls.trackable_outbox = cls.enterClassContext(capture())
        super().setUpClass()

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        with capture() as self.trackable_outbox:
            return super().run(result)

    def assertIncremented(  # noqa: N802
        self,
        obj: Model,
        field_name: str,
        *,
        times: int | None = None,
        amount: Amount | None = None,
        data_cls: type[TrackableData] | None = None,
    ) -> None:
        """Assert that an object's counter was incremented: so many times, by so much in all.

        With neither given: once. Decrements take from the amount and are no time. Without
        ``data_cls``, increments in all data classes of the object count.
        """
        found = self.trackable_outbox.of(obj, field_name, data_cls)
        what = f"{field_name} of {obj!r}"
        if times is None and amount is None:
            times = 1
        if times is not None:
            ups = [increment for increment in found if increment.amount > 0]
            self.assertEqual(len(ups), times, f"times that {what} went up: {found}")  # noqa: PT009
        if amount is not None:
            total = sum(increment.amount for increment in found)
            self.assertEqual(total, amount, f"sum that went to {what}: {found}")  # noqa: PT009

    def assertNotIncremented(  # noqa: N802
        self, obj: Model, field_name: str, *, data_cls: type[TrackableData] | None = None
    ) -> None:
        """Assert that an object's counter was not incremented."""
        self.assertIncremented(obj, field_name, times=0, data_cls=data_cls)


def __getattr__(name: str) -> Any:
    if name == "trackable_outbox":  # later, because it needs pytest
        from trackable.pytest_plugin import trackable_outbox

        return trackable_outbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
