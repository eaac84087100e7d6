"""The status as Prometheus scrapes it, and who may."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families

from trackable import alarms, conf, metrics
from trackable.journal import tally
from trackable.metrics import MetricsView, StatusCollector
from trackable.status import Failed, Status
from trackable.status.figures import Broker, Quarantined
from trackable_tests.counting import a_page, emit_segment
from trackable_tests.status.making import (
    a_database,
    a_fold,
    a_journal,
    a_machine,
    a_quarantine,
    a_status,
)
from trackable_tests.tables import for_each

urlpatterns = [
    path("metrics", metrics.view),
    path("token", MetricsView.as_view(token="right")),
]

FULL = a_status(
    a_journal(size_bytes=7, oldest_age_seconds=3.5, outages_met_seconds={"broker": 1.0}),
    a_machine(a_fold(60.0, duration_seconds=0.25), emitted=12, damaged=2),
    Broker({"app.PageData": 4, "unknown": 0}, {}),
    a_database(
        last_fold=a_fold(5.0),
        quarantine=a_quarantine(3, data_classes={"app.PageData": Quarantined(3, 9)}),
    ),
)
EMPTY = a_status(Failed("x"), Failed("x"), Failed("x"), Failed("x"))


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Status:
    """What is gathered in the place of the real one."""
    given: Status = getattr(request, "param", FULL)
    monkeypatch.setattr(metrics, "gather", lambda: given)
    return given


def exposed() -> str:
    registry = CollectorRegistry()
    metrics.register(registry)
    return generate_latest(registry).decode()


def samples(text: str) -> Iterator[tuple[str, tuple[str, ...], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield (
                sample.name.removeprefix("trackable_"),
                tuple(sample.labels.values()),
                sample.value,
            )


def test_figures_have_their_metrics(status: Status) -> None:
    found = {(name, *labels): value for name, labels, value in samples(exposed())}
    assert found["journal_bytes",] == 7
    assert found["journal_oldest_age_seconds",] == 3.5
    assert found["journal_segments", "sealed"] == 0
    assert (found["outage", "broker"], found["outage", "journal"]) == (1, 0)
    assert found["emitted_increments_total",] == 12
    assert found["damaged_lines_total",] == 2
    assert found["machine_last_fold_duration_seconds",] == 0.25
    assert found["queue_messages", "app.PageData"] == 4
    assert found["quarantine_increments", "app.PageData", "default"] == 9
    assert status.journal.oldest_age_seconds == 3.5
    for part in ("journal", "machine", "broker", "database default"):
        assert found["up", part] == 1


@pytest.mark.parametrize("status", [EMPTY], indirect=True)
def test_parts_that_failed_are_down_and_have_no_figures(status: Status) -> None:
    found = list(samples(exposed()))
    assert {name for name, *_ in found} == {"up"}
    assert [value for *_, value in found] == [0, 0, 0, 0]


@pytest.mark.parametrize("status", [FULL, EMPTY, a_status()], indirect=True)
def test_every_metric_has_its_help_type_and_name(status: Status) -> None:
    families = list(text_string_to_metric_families(exposed()))
    assert len(families) == len(metrics.SUMS) + len(metrics.GAUGES)
    assert set(metrics.SUMS) == set(tally.SUMS)
    for family in families:
        assert family.name.startswith("trackable_")
        assert family.documentation
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")


def test_to_register_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def gather() -> Status:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(metrics, "gather", gather)
    registry = CollectorRegistry(auto_describe=True)
    assert isinstance(metrics.register(registry), StatusCollector)
    with pytest.raises(ValueError, match="Duplicated"):
        metrics.register(registry)


@pytest.mark.django_db
def test_each_scrape_reads_anew() -> None:
    registry = CollectorRegistry()
    metrics.register(registry)

    def sealed() -> float | None:
        return registry.get_sample_value("trackable_journal_segments", {"state": "sealed"})

    assert sealed() == 0
    emit_segment(a_page())
    assert sealed() == 1
    alarms.sound(conf.journal_dir(), alarms.BROKER, "away")
    assert registry.get_sample_value("trackable_outage", {"of": "broker"}) == 1


def get(user: Any, token: str = "", **headers: str) -> HttpResponse:
    request = RequestFactory().get("/metrics", headers=headers)
    if user is not None:
        request.user = user
    return MetricsView.as_view(token=token)(request)


STAFF, MEMBER = User(is_staff=True), User()
GONE = User(is_staff=True, is_active=False)


@for_each(
    "user, token, header, code",
    [
        (STAFF, "", "", 200),
        (MEMBER, "", "", 401),
        (GONE, "", "", 401),
        (AnonymousUser(), "", "", 401),
        (None, "", "", 401),
        (None, "right", "Bearer right", 200),
        (None, "right", "bearer right", 200),
        (None, "right", "Bearer wrong", 401),
        (None, "right", "Bearer r\xefght", 401),
        (None, "right", "Basic right", 401),
        (None, "right", "right", 401),
        (None, "right", "Bearer", 401),
        (None, "", "Bearer ", 401),
        (None, "", "Bearer", 401),
        (STAFF, "right", "", 200),
        (MEMBER, "right", "Bearer right", 200),
    ],
)
def test_staff_and_who_has_the_token_may_look(
    user: Any, token: str, header: str, code: int, status: Status
) -> None:
    response = get(user, token, **({"authorization": header} if header else {}))
    assert response.status_code == code
    assert (b"trackable_" in response.content) == (code == 200)
    assert ("WWW-Authenticate" in response.headers) == (code == 401)


def test_answer_is_text_that_no_cache_keeps(status: Status) -> None:
    response = get(STAFF)
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "no-store" in response["Cache-Control"]
    assert list(samples(response.content.decode())) == list(samples(exposed()))


def test_answer_is_open_metrics_for_who_wants_that(status: Status) -> None:
    response = get(STAFF, accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert response["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert list(open_metrics(response.content.decode()))


@pytest.mark.urls(__name__)
def test_token_needs_neither_a_login_nor_a_database(settings: Any, status: Status) -> None:
    login_required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, login_required]
    client = Client()
    headers = {"authorization": "Bearer right"}
    assert client.get("/token", headers=headers).status_code == 200
    assert client.get("/metrics").status_code == 401
    assert client.post("/token", headers=headers).status_code == 405


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_staff_who_are_logged_in_may_look(client: Client, status: Status) -> None:
    client.force_login(User.objects.create_user("editor", is_staff=True))
    assert client.get("/metrics").status_code == 200
    assert client.head("/metrics").content == b""


@pytest.mark.slow
def test_without_the_extra_the_error_names_the_cure() -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from django.conf import settings; settings.configure(INSTALLED_APPS=["
        "'django.contrib.auth', 'django.contrib.contenttypes', 'trackable'])\n"
        "import django; django.setup()\n"
        "from django.core.exceptions import ImproperlyConfigured\n"
        "try: import trackable.metrics\n"
        "except ImproperlyConfigured as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'trackable[prometheus]'" in run.stdout, run.stderr
