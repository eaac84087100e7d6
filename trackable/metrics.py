"""Metrics: the status as Prometheus scrapes it. Needs the extra ``trackable[prometheus]``.

The figures are read at each scrape, from the journal's folder, the broker and the databases. No
process keeps numbers of its own, so any process of a machine answers for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from trackable import alarms
from trackable.status import Failed, Status, gather
from trackable.status.figures import Broker, Database, Journal, Machine

try:
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImproperlyConfigured(
        "trackable.metrics needs prometheus-client: pip install 'trackable[prometheus]'."
    ) from error

#: a sum of the machine's tally -> its metric's name and help
SUMS: Final = {
    "emitted": ("emitted_increments", "Increments and filtered hits that the journal took"),
    "refused": ("refused_increments", "Increments that the journal did not take"),
    "shipped": ("shipped_increments", "Increments that the broker confirmed"),
    "resent": ("resent_segments", "Segments sent again as the ledger did not show them in time"),
    "folds": ("folds", "Folds that folded anything"),
    "folded": ("folded_increments", "Increments that were counted"),
    "filtered": ("filtered_increments", "Hits of crawlers that folds came upon"),
    "dropped": ("dropped_increments", "Refused increments that folds came upon"),
    "damaged": ("damaged_lines", "Lines of the journal that came to harm and are lost"),
    "quarantined": ("quarantined_messages", "Messages that were set aside or, if so set, dropped"),
    "duplicates": ("duplicate_batches", "Batches that the ledger knew already"),
}

#: a gauge's name, its help and its labels
GAUGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "up": ("Whether a part could be asked", ("part",)),
    "journal_bytes": ("The size of this machine's journal", ()),
    "journal_max_bytes": ("The size past which increments are dropped", ()),
    "journal_segments": ("Files of this machine's journal", ("state",)),
    "journal_oldest_age_seconds": ("The age of the oldest not folded, 0 if nothing waits", ()),
    "outage": ("Whether processes of this machine meet an outage", ("of",)),
    "machine_last_fold_timestamp_seconds": ("When this machine last folded anything", ()),
    "machine_last_fold_increments": ("What the last fold of this machine counted", ()),
    "machine_last_fold_duration_seconds": ("How long the last fold of this machine took", ()),
    "queue_messages": ("Messages that wait in a queue of the broker", ("data_class",)),
    "last_fold_timestamp_seconds": ("When any machine last folded anything", ("database",)),
    "quarantine_messages": ("Messages in the quarantine", ("database", "data_class")),
    "quarantine_increments": ("Increments in the quarantine", ("database", "data_class")),
    "quarantine_oldest_age_seconds": (
        "The age of the oldest in the quarantine, 0 if it is empty",
        ("database",),
    ),
}

#: a name, the values of the labels, and the figure
Sample = tuple[str, tuple[str, ...], float]


class StatusCollector(Collector):
    """Gathers the status whenever the metrics are collected."""

    def describe(self) -> list[Metric]:
        """Return the metrics without figures, so that nobody is asked for any at the start."""
        return list(_families().values())

    def collect(self) -> list[Metric]:
        families = _families()
        for name, labels, number in _samples(gather()):
            families[name].add_metric(labels, number)
        return list(families.values())


def register(registry: CollectorRegistry = REGISTRY) -> StatusCollector:
    """Add the metrics to a registry, beside the site's own.

    Raises ``ValueError`` if they are in it already.
    """
    collector = StatusCollector()
    registry.register(collector)
    return collector


def _families() -> dict[str, CounterMetricFamily | GaugeMetricFamily]:
    counters = {
        name: CounterMetricFamily(f"trackable_{metric}", text)
        for name, (metric, text) in SUMS.items()
    }
    gauges = {
        name: GaugeMetricFamily(f"trackable_{name}", text, labels=labels)
        for name, (text, labels) in GAUGES.items()
    }
    return {**counters, **gauges}


def _samples(status: Status) -> Iterator[Sample]:
    for part, figures in status.parts():
        yield "up", (part,), not isinstance(figures, Failed)
    if isinstance(status.journal, Journal):
        yield from _of_journal(status.journal)
    if isinstance(status.machine, Machine):
        yield from _of_machine(status.machine)
    if isinstance(status.broker, Broker):
        for label, depth in status.broker.queues.items():
            yield "queue_messages", (label,), depth
    for alias, database in status.databases.items():
        if isinstance(database, Database):
            yield from _of_database(alias, database)


def _of_journal(journal: Journal) -> Iterator[Sample]:
    yield "journal_bytes", (), journal.size_bytes
    yield "journal_max_bytes", (), journal.max_bytes
    yield "journal_oldest_age_seconds", (), journal.oldest_age_seconds or 0
    for state, number in journal.segments.items():
        yield "journal_segments", (state,), number
    for outage in (alarms.BROKER, alarms.JOURNAL):
        yield "outage", (outage,), outage in journal.outages_met_seconds


def _of_machine(machine: Machine) -> Iterator[Sample]:
    for name, number in machine.sums.items():
        yield name, (), number
    if fold := machine.last_fold:
        yield "machine_last_fold_timestamp_seconds", (), fold.at.timestamp()
        yield "machine_last_fold_increments", (), fold.increments
        yield "machine_last_fold_duration_seconds", (), fold.duration_seconds or 0


def _of_database(alias: str, database: Database) -> Iterator[Sample]:
    if fold := database.last_fold:
        yield "last_fold_timestamp_seconds", (alias,), fold.at.timestamp()
    quarantine = database.quarantine
    yield "quarantine_oldest_age_seconds", (alias,), quarantine.oldest_age_seconds or 0
    for label, held in quarantine.data_classes.items():
        yield "quarantine_messages", (alias, label), held.messages
        yield "quarantine_increments", (alias, label), held.increments


@method_decorator((never_cache, login_not_required), name="dispatch")
class MetricsView(View):
    """Answers with the metrics, to staff and to whoever has the token.

    ``MetricsView.as_view(token="...")`` takes ``Authorization: Bearer ...``; without a token of
    at least one character only staff who are logged in may look.
    """

    token = ""
    http_method_names = ("get", "head", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        if not self.is_allowed(request):
            # The challenge says nothing of whether there is a token.
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
        registry = CollectorRegistry()
        register(registry)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(registry), content_type=content_type)

    def is_allowed(self, request: HttpRequest) -> bool:
        """Tell whether to answer; the token is looked at first, as it needs no database."""
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if self.token and kind.lower() == "bearer" and constant_time_compare(given, self.token):
            return True
        user = getattr(request, "user", None)
        return user is not None and user.is_active and user.is_staff


#: for staff alone
view = MetricsView.as_view()
