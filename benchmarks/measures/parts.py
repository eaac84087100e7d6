"""What the parts of a fold cost, each by itself: what a reckoning for other loads starts from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from benchmarks import journals
from benchmarks.batches import batch
from benchmarks.lab import Lab
from benchmarks.measures import upsert
from benchmarks.measures.fold import empty_tables
from benchmarks.measuring import Contenders, measure
from trackable.batches import Batch
from trackable.broker import Broker
from trackable.folding.collect import collect

#: objects of a batch that has many, as a process that is busy sends them
MANY = 500


class Parts:
    """Folds from RabbitMQ that differ in one part each, so that differences are of the part."""

    def __init__(self, batches: int, rows: int) -> None:
        self._batches = batches
        self._rows = rows

    def microseconds(self) -> dict[str, float]:
        number, many = self._batches, self._rows // MANY
        # All rows are there before a clock runs.
        self._fold([batch(range(1, 1 + self._rows))])
        nothing, _ = self._fold([])
        small, publishing = self._fold([batch([1]) for _ in range(number)])
        same, _ = self._fold([batch(range(1, MANY + 1)) for _ in range(many)])
        different, _ = self._fold([batch(each) for each in self._ranges(many)])
        a_batch = (small - nothing) / number
        an_entry = (same - nothing - many * a_batch) / self._rows
        a_row = (different - same) / (self._rows - MANY)
        parts = {
            "a fold": nothing,
            "a batch": a_batch,
            "an entry": an_entry,
            "a row": a_row,
            "publishing a batch": publishing / number,
        }
        return {name: max(seconds, 0) * 1e6 for name, seconds in parts.items()}

    def _ranges(self, many: int) -> Iterable[range]:
        return (range(1 + each * MANY, 1 + (each + 1) * MANY) for each in range(many))

    def _fold(self, made: list[Batch]) -> tuple[float, float]:
        """Return the seconds of the fold of these batches, and those of publishing them."""
        started = time.perf_counter()
        with Broker() as broker:
            for each in made:
                broker.publish(each)
        published = time.perf_counter()
        folded = collect(wait=False).batches
        if folded != len(made):
            raise RuntimeError(f"{folded} of {len(made)} batches were folded")
        return time.perf_counter() - published, published - started


@measure(
    "parts",
    title="what the parts of a fold cost, RabbitMQ and PostgreSQL",
    unit="µs",
    needs=("postgresql", "rabbitmq"),
    has_ratios=False,
    budget_seconds=12,
    note="A fold that finds nothing; what each batch, each entry of one (a counter in it) and each"
    " row adds to it; and what the shipper takes to publish a batch, with the broker's"
    " confirmation. The database by itself needs what a row of the statement by hand takes.",
)
def parts_of_a_fold(lab: Lab) -> Iterator[Contenders]:
    batches, rows = lab.pick((400, 10_000), (100, 5_000))
    with journals.own(lab, TRACKABLE_BROKER_URL=lab.url("rabbitmq")):
        empty_tables()
        subject = Parts(batches, rows)
        by_hand = upsert.rows_of("postgresql", rows)
        yield {
            "trackable": lambda: upsert.settled("postgresql", subject.microseconds),
            "the database": lambda: {"a row": 1e6 / upsert.by_hand("postgresql", by_hand)},
        }
        empty_tables()
