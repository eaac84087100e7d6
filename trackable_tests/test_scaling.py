"""The simulation that the reckoning for many machines is made of, and the tables made by it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import scaling, simulation
from benchmarks.simulation import DAY_SECONDS, Costs, Curve, Popularity, Site, simulate
from trackable import conf
from trackable.folding import collect
from trackable_tests.tables import for_each

COSTS = Costs(emit=5, publish=700, fold=5000, batch=400, entry=5, row=40, database_row=15)
#: a step a minute, so that a day takes milliseconds
SITE = Site(1e8, machines=4, watch_seconds=60)
#: more than one folder can do
BUSY = replace(SITE, increments_per_day=2e10, machines=100, max_counters=500_000)


# what arrives


@for_each("peak", [1, 1.5, 3, 10])
def test_a_day_brings_what_it_is_said_to_bring(peak: float) -> None:
    curve = Curve(1e6, peak)
    day = [curve.between(start, start + 600) for start in range(0, int(DAY_SECONDS), 600)]
    assert sum(day) == pytest.approx(1e6, rel=1e-3)
    assert curve.rate(DAY_SECONDS / 2) == pytest.approx(peak * curve.mean, rel=1e-6)


def test_a_flat_day_has_one_rate() -> None:
    curve = Curve(1e6, 1)
    assert curve.rate(1) == pytest.approx(curve.mean, rel=1e-6)


def test_hits_meet_fewer_objects_the_more_there_are() -> None:
    different = Popularity(1000).different
    assert [different(hits) for hits in (0, 0.5, 1)] == [0, 0.5, 1]
    assert 2 < different(10) < 10
    assert different(100) < 10 * different(10)
    assert different(1e9) == pytest.approx(1000, rel=0.01)


def test_one_object_is_one_row_whatever_the_hits() -> None:
    assert Popularity(1).different(1e6) == pytest.approx(1)


def test_popularity_is_that_of_objects_one_by_one() -> None:
    objects, hits = 500, 300
    harmonic = sum(1 / rank for rank in range(1, objects + 1))
    each = (1 - (1 - 1 / rank / harmonic) ** hits for rank in range(1, objects + 1))
    assert Popularity(objects).different(hits) == pytest.approx(sum(each), rel=0.03)


# what becomes of it


@for_each(
    "site", [SITE, BUSY, replace(SITE, outage_seconds=7200), replace(SITE, folders=3, peak=1)]
)
def test_every_increment_is_folded_or_waits(site: Site) -> None:
    day = simulate(site, COSTS)
    assert day.folded + day.backlog == pytest.approx(site.increments_per_day, rel=1e-3)


def test_nothing_waits_long_where_the_folders_can_do_it() -> None:
    day = simulate(SITE, COSTS)
    assert day.folders_busy < 0.5
    assert day.backlog == pytest.approx(0, abs=1)
    assert day.latency(0.99) < 2 * SITE.watch_seconds


def test_more_than_the_folders_can_do_waits_ever_longer() -> None:
    day = simulate(BUSY, COSTS)
    assert day.folders_busy > 0.99
    assert day.backlog > 0.1 * BUSY.increments_per_day
    assert day.latency(0.99) == float("inf")


def test_more_folders_carry_more_until_the_database_is_full() -> None:
    site = replace(BUSY, increments_per_day=1e11)
    days = [simulate(replace(site, folders=number), COSTS) for number in (1, 2, 4, 16, 32)]
    folded = [day.folded for day in days]
    assert folded[0] < folded[1] < folded[2]
    assert days[0].database_busy < 0.5
    assert [days[-2].database_busy, days[-1].database_busy] == pytest.approx([1, 1], abs=0.05)
    assert days[-1].backlog > 0


def test_databases_share_the_load() -> None:
    one, two = (simulate(replace(SITE, databases=number), COSTS) for number in (1, 2))
    assert two.folded == pytest.approx(one.folded / 2, rel=1e-3)
    assert two.database_busy < one.database_busy


def test_what_an_outage_leaves_is_folded_after_it() -> None:
    site = replace(SITE, increments_per_day=4e8, outage_seconds=3600)
    day, normal = simulate(site, COSTS), simulate(replace(site, outage_seconds=0), COSTS)
    assert day.most_backlog > 3000 * site.increments_per_day / DAY_SECONDS
    assert day.most_backlog > 10 * normal.most_backlog
    assert 0 < day.recovery_seconds < DAY_SECONDS / 2
    assert day.backlog == pytest.approx(0, abs=1)
    assert day.latency(0.99) > 1800
    assert normal.recovery_seconds == float("inf")


def test_older_segments_are_fewer_batches() -> None:
    often, seldom = (simulate(replace(SITE, flush_seconds=s), COSTS) for s in (1, 10))
    assert often.batches == pytest.approx(10 * seldom.batches, rel=0.2)
    assert often.folders_busy > seldom.folders_busy


def test_a_process_that_emits_nothing_sends_nothing() -> None:
    site = replace(SITE, increments_per_day=100)
    assert simulate(site, COSTS).batches == pytest.approx(100, rel=0.01)


def test_fewer_folds_write_fewer_rows() -> None:
    site = replace(SITE, objects=1000)
    days = [simulate(replace(site, watch_seconds=s), COSTS) for s in (10, 600)]
    assert days[0].rows_written > 1.5 * days[1].rows_written
    assert days[0].latency(0.5) < days[1].latency(0.5)


def test_a_commit_is_never_before_its_emit() -> None:
    assert simulate(SITE, COSTS).latency(0) > 0


# the tables


def test_figures_come_from_the_last_run_where_it_has_them(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    rows = {"trackable, a row": {"median": 12.5}}
    path.write_text(json.dumps({"measures": {"parts": {"rows": rows}, "emit": {"failure": "no"}}}))
    found, absent = scaling.figures(path)
    assert found["row"] == 12.5
    assert found["emit"] == scaling.FIGURES["emit"].default
    assert absent == scaling.FIGURES.keys() - {"row"}


def test_without_a_run_all_figures_are_the_documented_ones(tmp_path: Path) -> None:
    found, absent = scaling.figures(tmp_path / "absent.json")
    assert found == {name: figure.default for name, figure in scaling.FIGURES.items()}
    assert absent == scaling.FIGURES.keys()


@for_each(
    "value, text",
    [(0, "0"), (1e-9, "0"), (2.345, "2.35"), (12345, "12,300"), (1e9, "1,000,000,000")],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert scaling.number(value) == text


@for_each(
    "seconds, text",
    [(1.25, "1.2 s"), (600, "10 min"), (9000, "2.5 h"), (float("inf"), "never")],
)
def test_durations_have_their_unit(seconds: float, text: str) -> None:
    assert scaling.duration(seconds) == text


def test_options_are_of_the_site(capsys: pytest.CaptureFixture[str]) -> None:
    scaling.main(["--increments-per-day", "2e6", "--machines", "3", "--watch-seconds", "60"])
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("|  | 2,000,000 | 3 | 1 | 1 |")


@pytest.mark.slow
def test_the_page_has_the_tables_that_the_simulation_makes() -> None:
    text = scaling.TABLES.read_text()
    assert text == scaling.tables(*scaling.figures()), "run python -m benchmarks.scaling --write"
    page = Path(scaling.__file__).parents[1] / "docs" / "explanation" / "scaling.md"
    assert "{include} ../../benchmarks/results/scaling.md" in page.read_text()


def test_folds_are_bounded_as_they_are_by_default() -> None:
    assert Site(1).max_counters == conf.DEFAULTS["FOLD_MAX_COUNTERS"]
    assert simulation.ENTRIES_PER_COUNTER == collect.ENTRIES_PER_COUNTER
