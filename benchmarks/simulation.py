"""A day of a site that counts, as a queue: what arrives, waits and is folded. Pure.

Time goes in steps, one for each round of folds. In a step arrives what the curve of the day says,
in batches as large as the flush interval makes them; the folders take from the queue, in order,
what one transaction takes each; the step lasts as long as that takes, by the costs of its parts.
Nothing is random: numbers are those to be expected.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import cos, exp, expm1, gamma, inf, isinf, log, pi, sqrt
from typing import Final

DAY_SECONDS: Final = 86_400.0
#: Longer steps than this blur the curve of the day.
LONGEST_STEP_SECONDS: Final = 60.0
#: Before and after the busiest moment, for how busy things are then.
BUSY_SECONDS: Final = 1800.0
#: Ranks of objects whose popularity is taken for the same differ by so much.
BUCKET_GROWTH: Final = 1.15
#: In which the increments of a parcel are told apart by their age, each as old as its oldest.
SLICES: Final = 8
POINTS_PER_FACTOR_E: Final = 4
#: as in a fold
ENTRIES_PER_COUNTER: Final = 8


@dataclass(frozen=True, slots=True)
class Costs:
    """What each part takes, in microseconds of one core or of the time of one process."""

    emit: float
    publish: float
    fold: float
    batch: float
    entry: float
    row: float
    #: the part of ``row`` that the database takes
    database_row: float


@dataclass(frozen=True, slots=True)
class Site:
    """What is counted, and by how many processes, folders and databases."""

    increments_per_day: float
    #: the rate of the busiest moment, by the mean
    peak: float = 3.0
    #: counters that a day may have; a few get most of the hits
    objects: int = 1_000_000
    machines: int = 1
    processes: int = 8
    folders: int = 1
    #: databases over which the rows are spread evenly, with folders of their own
    databases: int = 1
    #: how old a segment becomes: measured, with the default ``TRACKABLE_FLUSH_INTERVAL`` of 0.5
    flush_seconds: float = 1.0
    watch_seconds: float = 5.0
    max_counters: int = 110_000
    #: how long no folder runs, from the busiest moment on
    outage_seconds: float = 0.0


class Curve:
    """The rate over a day: lowest at midnight, highest at noon."""

    def __init__(self, per_day: float, peak: float) -> None:
        self.mean = per_day / DAY_SECONDS
        self._power = _power_of(peak)
        self._peak = peak

    def rate(self, second: float) -> float:
        """Return the increments a second."""
        height = (1 - cos(2 * pi * second / DAY_SECONDS)) / 2
        return float(self.mean * self._peak * height**self._power)

    def between(self, start: float, end: float) -> float:
        """Return the increments of a short time, by Simpson's rule."""
        middle = self.rate((start + end) / 2)
        return (end - start) * (self.rate(start) + 4 * middle + self.rate(end)) / 6


def _power_of(peak: float) -> float:
    """Return how pointed a day is, by halving: the mean of the curve is 1 / peak."""
    low, high = 0.0, 2 * peak * peak
    for _ in range(60):
        power = (low + high) / 2
        mean = gamma(power + 0.5) / (sqrt(pi) * gamma(power + 1)) if power < 150 else 0.0
        low, high = (low, power) if mean * peak <= 1 else (power, high)
    return low


class Popularity:
    """How many different objects so many hits meet, where the n-th most popular has 1/n of hits."""

    def __init__(self, objects: int) -> None:
        self._buckets = list(_buckets(objects))
        last = int(POINTS_PER_FACTOR_E * log(1e12)) + 1
        self._points = [self._count(exp(at / POINTS_PER_FACTOR_E)) for at in range(last + 1)]

    def different(self, hits: float) -> float:
        """Return the expected number, between points that were worked out before."""
        if hits <= 1:
            return hits
        at = min(log(hits) * POINTS_PER_FACTOR_E, len(self._points) - 1.001)
        left = int(at)
        share = at - left
        return self._points[left] * (1 - share) + self._points[left + 1] * share

    def _count(self, hits: float) -> float:
        return sum(number * (1 - exp(-hits * chance)) for number, chance in self._buckets)


def _buckets(objects: int) -> Iterator[tuple[int, float]]:
    """Yield how many objects have which part of the hits each."""
    harmonic = log(objects) + 0.5772156649 + 0.5 / objects
    rank = 1
    while rank <= objects:
        end = min(max(rank + 1, int(rank * BUCKET_GROWTH)), objects + 1)
        weight = sum(1 / each for each in range(rank, end)) if end < 200 else log(end / rank)
        yield end - rank, weight / (end - rank) / harmonic
        rank = end


@dataclass(slots=True)
class Parcel:
    """What arrived together: increments, in batches, with entries; emitted between two times."""

    first_second: float
    last_second: float
    increments: float
    batches: float
    entries: float

    def split(self, share: float) -> Parcel:
        """Take a share out, and return it."""
        numbers = [self.increments * share, self.batches * share, self.entries * share]
        self.increments -= numbers[0]
        self.batches -= numbers[1]
        self.entries -= numbers[2]
        return Parcel(self.first_second, self.last_second, *numbers)


@dataclass(slots=True)
class Day:
    """What a day was like, in one of the databases; times in seconds."""

    folded: float = 0.0
    backlog: float = 0.0
    most_backlog: float = 0.0
    batches: float = 0.0
    rows_written: float = 0.0
    #: seconds in which the folders and the database were at work, around the busiest moment
    folding_seconds: float = 0.0
    database_seconds: float = 0.0
    #: what was sent in that time
    busy_batches: float = 0.0
    #: until an outage's backlog was folded, from its end on
    recovery_seconds: float = inf
    _latencies: list[tuple[float, float]] = field(default_factory=list)

    @property
    def folders_busy(self) -> float:
        return self.folding_seconds / (2 * BUSY_SECONDS)

    @property
    def database_busy(self) -> float:
        return self.database_seconds / (2 * BUSY_SECONDS)

    @property
    def batches_a_second(self) -> float:
        return self.busy_batches / (2 * BUSY_SECONDS)

    def commit(self, parcel: Parcel, at_second: float) -> None:
        self.folded += parcel.increments
        oldest, span = at_second - parcel.first_second, parcel.last_second - parcel.first_second
        part = parcel.increments / SLICES
        self._latencies += [(oldest - span * each / SLICES, part) for each in range(SLICES)]

    def latency(self, share: float) -> float:
        """Return the seconds from emit to commit that this share of increments do not exceed."""
        left = share * (self.folded + self.backlog)
        for seconds, number in sorted(self._latencies):
            left -= number
            if left <= 0:
                return seconds
        return inf


def simulate(site: Site, costs: Costs) -> Day:
    """Return the day of one of the site's databases; each has its share, and its own folders."""
    return _Simulation(site, costs).run()


class _Simulation:
    def __init__(self, site: Site, costs: Costs) -> None:
        self.site = site
        self.costs = costs
        self.curve = Curve(site.increments_per_day / site.databases, site.peak)
        self.popularity = Popularity(max(site.objects // site.databases, 1))
        self.day = Day()
        self._queue: deque[Parcel] = deque()

    def run(self) -> Day:
        now = 0.0
        while now < DAY_SECONDS:
            end = min(now + self._step(now), DAY_SECONDS)
            self._arrive(now, end)
            now = end
        return self.day

    def _step(self, now: float) -> float:
        """Fold what a round takes, and return how long that takes, with the pause after it."""
        start = DAY_SECONDS / 2
        if start <= now < start + self.site.outage_seconds:
            return min(LONGEST_STEP_SECONDS, start + self.site.outage_seconds - now)
        taken = self._take()
        seconds = self._fold(taken, now)
        if self._queue:
            return seconds
        if self.site.outage_seconds and now > start and isinf(self.day.recovery_seconds):
            self.day.recovery_seconds = now + seconds - start - self.site.outage_seconds
        return seconds + self.site.watch_seconds

    def _arrive(self, start: float, end: float) -> None:
        """Put into the queue what a time brings, in parcels that are short enough."""
        while start < end:
            stop = min(start + LONGEST_STEP_SECONDS, end)
            self._put(start, stop)
            start = stop
        self.day.most_backlog = max(self.day.most_backlog, self.day.backlog)

    def _put(self, start: float, end: float) -> None:
        increments = self.curve.between(start, end)
        emitting = self.site.machines * self.site.processes
        segments = emitting * (end - start) / self.site.flush_seconds
        # A process that has emitted nothing sends nothing.
        batches = segments * -expm1(-increments / segments)
        if not batches:
            return
        entries = batches * self.popularity.different(increments / batches)
        first = start - self.site.flush_seconds
        self._queue.append(Parcel(first, end, increments, batches, entries))
        self.day.backlog += increments
        self.day.batches += batches
        self.day.busy_batches += batches * _is_busy(start)

    def _take(self) -> list[Parcel]:
        """Return the oldest that waits, until each folder has its fill of counters or entries.

        A batch counts as one entry more, as in a fold.
        """
        taken: list[Parcel] = []
        increments, folders = 0.0, self.site.folders
        room = float(folders * self.site.max_counters * ENTRIES_PER_COUNTER)
        while self._queue and room > 0 and self._counters(increments) < self.site.max_counters:
            size = self._queue[0].entries + self._queue[0].batches
            is_last = size > room
            parcel = self._queue[0].split(room / size) if is_last else self._queue.popleft()
            taken.append(parcel)
            increments += parcel.increments
            room -= size
        return taken

    def _counters(self, increments: float) -> float:
        """Return how many different counters each folder has of so many increments."""
        return self.popularity.different(increments / self.site.folders)

    def _fold(self, taken: list[Parcel], now: float) -> float:
        """Commit what was taken, and return the seconds until then.

        Each folder writes the rows of its share, the most popular ones all of them: there they
        wait for each other, so the database's part of their work is done in turn.
        """
        folders, costs = self.site.folders, self.costs
        increments = sum(parcel.increments for parcel in taken)
        batches = sum(parcel.batches for parcel in taken)
        entries = sum(parcel.entries for parcel in taken)
        rows = min(folders * self._counters(increments), entries)
        alone = batches * costs.batch + entries * costs.entry + rows * costs.row
        in_turn = rows * costs.database_row
        seconds = max(costs.fold + alone / folders, in_turn) / 1e6
        for parcel in taken:
            self.day.commit(parcel, now + seconds)
        self.day.backlog -= increments
        self.day.rows_written += rows
        self.day.folding_seconds += seconds * _is_busy(now)
        self.day.database_seconds += in_turn / 1e6 * _is_busy(now)
        return seconds


def _is_busy(second: float) -> bool:
    return abs(second - DAY_SECONDS / 2) < BUSY_SECONDS
