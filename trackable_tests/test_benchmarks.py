"""The benchmarks' own arithmetic: rounds, medians, ratios, targets, tables and comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from math import comb
from pathlib import Path
from typing import Any

from benchmarks import comparing, floor, table
from benchmarks.figures import CONFIDENCE, Summary, rank_of_interval, ratios, summary
from benchmarks.measuring import Contenders, Measure, Result, Target, run
from trackable_tests.tables import for_each


def a_measure(contenders: Contenders | None = None, **options: Any) -> Measure:
    @contextmanager
    def opened(lab: Any) -> Iterator[Contenders]:
        yield contenders or {}

    about = {"name": "emit", "title": "what a hit costs", "unit": "µs", "better": "less"}
    return Measure(open=opened, **{**about, **options})


def a_result(**figures: list[float]) -> Result:
    return Result(a_measure(), figures)


# figures


@for_each("number", range(1, 60))
def test_the_interval_is_the_narrowest_that_is_sure_enough(number: int) -> None:
    def outside(rank: int) -> float:
        return 2 * sum(comb(number, each) for each in range(rank + 1)) / 2**number

    rank = rank_of_interval(number)
    assert 0 <= rank <= (number - 1) // 2
    assert rank == 0 or outside(rank) <= 1 - CONFIDENCE
    assert outside(rank + 1) > 1 - CONFIDENCE


def test_five_rounds_have_an_interval_from_the_least_to_the_most() -> None:
    assert summary([5, 1, 4, 2, 9]) == Summary(4, 1, 9, 5)


def test_an_outlier_among_many_is_outside_the_interval() -> None:
    assert summary([*range(1, 20), 1000]).high < 20


def test_ratios_are_of_the_same_round() -> None:
    assert ratios([10, 40], [5, 10]) == [2, 4]


# rounds


def test_contenders_take_turns_and_the_warm_up_is_left_out() -> None:
    numbers = count()
    contenders: Contenders = {name: lambda: next(numbers) for name in "ab"}
    found = run(a_measure(contenders, turns=2), None, rounds=2)  # type: ignore[arg-type]
    assert found.figures == {"a": [2, 4, 6, 8], "b": [3, 5, 7, 9]}


def test_without_a_warm_up_the_first_turn_counts() -> None:
    found = run(a_measure({"a": lambda: 1}, warms_up=False), None, rounds=1)  # type: ignore[arg-type]
    assert found.figures == {"a": [1]}


def test_a_contender_may_have_several_figures() -> None:
    contenders: Contenders = {"a": lambda: {"median": 1, "most": 2}}
    found = run(a_measure(contenders), None, rounds=1)  # type: ignore[arg-type]
    assert found.figures == {"a, median": [1], "a, most": [2]}


def test_no_round_is_begun_when_the_time_is_up_but_one_is_finished() -> None:
    clock = count(step=10)
    measure = a_measure({"a": lambda: 1}, budget_seconds=25)
    found = run(measure, None, rounds=9, clock=lambda: next(clock))  # type: ignore[arg-type]
    assert len(found.figures["a"]) == 3


# targets


@for_each(
    "target, met",
    [
        (Target("ours", at_most=10), True),
        (Target("ours", at_most=9), False),
        (Target("ours", at_least=11), False),
        (Target("other", "ours", at_least=20), True),
        (Target("other", "ours", at_least=20.1), False),
        (Target("ours", "other", at_most=0.05), True),
    ],
)
def test_a_target_bounds_a_figure_or_a_ratio(target: Target, met: bool) -> None:
    found = a_result(ours=[10], other=[200]).figure(target)
    assert found is not None
    assert target.is_met(found.median) is met


def test_a_target_of_a_row_that_was_not_measured_has_no_figure() -> None:
    assert a_result(ours=[1]).figure(Target("ours", "other", at_most=1)) is None


@for_each(
    "found, words",
    [
        (Summary(1.0, 0.9, 1.1, 5), "**met**"),
        (Summary(1.0, 0.9, 1.3, 5), "**met**, within the noise"),
        (Summary(1.3, 1.25, 1.4, 5), "not met"),
        (Summary(1.3, 1.1, 1.4, 5), "not met, within the noise"),
        (None, "not measured"),
    ],
)
def test_a_verdict_says_whether_the_noise_leaves_it_open(found: Summary | None, words: str) -> None:
    assert table.verdict(Target("a", "b", at_most=1.2), found) == words


def test_a_row_is_compared_with_ours_of_the_same_detail() -> None:
    result = Result(a_measure(), {"emit, 1": [1], "emit, 8": [4], "update, 8": [2], "update": [3]})
    assert [result.counterpart(row) for row in result.figures] == [
        *("emit, 1", "emit, 1", "emit, 8", "emit, 1"),
    ]


# tables


@for_each(
    "figure, text",
    [
        (1_234_567.8, "1,234,568"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.03, "1.03"),
        (1.0345, "1.034"),
        (0.0222, "0.0222"),
        (0.0000123, "0.000012"),
        (0, "0"),
    ],
)
def test_numbers_have_three_digits_that_count(figure: float, text: str) -> None:
    assert table.number(figure) == text


def test_the_table_has_targets_rows_and_ratios() -> None:
    measure = a_measure(targets=(Target("floor", "emit", at_least=0.25),))
    result = Result(measure, {"emit": [8, 10], "floor": [2, 5]})
    text = table.as_markdown("Results", {"versions": {"Python": "3.13"}}, [result], "charts")
    assert "**Versions**: Python 3.13" in text
    times = table.TIMES
    assert (
        f"| floor to emit: at least 0.25 {times} | 0.375 {times} | 0.25 to 0.5 | **met** |" in text
    )
    assert f"| floor | 3.5 | 2 to 5 | 0.375 {times} | 0.25 to 0.5 | emit | 2 |" in text
    assert "![what a hit costs](charts/emit.svg)" in text


def test_the_table_says_why_a_measure_is_missing() -> None:
    result = Result(a_measure(targets=(Target("emit", at_most=1),)), failure="no Redis")
    text = table.as_markdown("Results", {}, [result], "charts")
    assert "Not measured: no Redis" in text
    assert "not measured |" in text
    assert table.as_json({}, [result])["measures"]["emit"]["failure"] == "no Redis"


# comparing


def standing(better: str = "less", **figures: list[float]) -> dict[str, Any]:
    return table.as_json({}, [Result(a_measure(better=better), figures)])


@for_each(
    "better, before, now, is_worse",
    [
        ("less", [10.0], [11.9], False),
        ("less", [10.0], [12.5], True),
        ("less", [10.0], [2.0], False),
        ("more", [10.0], [8.5], False),
        ("more", [10.0], [8.0], True),
        ("more", [10.0], [50.0], False),
    ],
)
def test_a_ratio_is_named_if_it_is_worse_by_a_fifth(
    better: str, before: list[float], now: list[float], is_worse: bool
) -> None:
    old = standing(better, emit=before, floor=[1.0])
    new = standing(better, emit=now, floor=[1.0])
    assert bool(comparing.compare(old, new)) is is_worse


def test_a_slower_machine_makes_no_ratio_worse() -> None:
    old, new = standing(emit=[10], floor=[1]), standing(emit=[30], floor=[3])
    assert comparing.compare(old, new) == []


def test_what_is_worse_is_named_with_both_figures() -> None:
    old, new = standing(emit=[3], floor=[1]), standing(emit=[6], floor=[1])
    assert comparing.compare(old, new) == ["emit: emit to floor: 3 → 6, 100% worse"]


def test_a_measure_without_ratios_is_compared_by_its_figures() -> None:
    def measured(mib: float) -> dict[str, Any]:
        return table.as_json({}, [Result(a_measure(has_ratios=False), {"fold": [mib]})])

    assert comparing.compare(measured(100), measured(150)) == ["emit: fold: 100 → 150, 50% worse"]
    assert comparing.compare(measured(100), measured(110)) == []


def test_measures_that_are_new_or_failed_are_passed_over() -> None:
    failed = table.as_json({}, [Result(a_measure(), failure="no Redis")])
    old, new = {"measures": {}}, standing(emit=[3], floor=[1])
    assert comparing.compare(old, new) == comparing.compare(new, failed) == []


# the floor


def test_the_floor_counts_what_it_appended(tmp_path: Path) -> None:
    append = floor.appender(tmp_path / "lines")
    for object_id in (1, 2, 1):
        append(object_id)
    counted = floor.count([tmp_path / "lines"])
    assert counted == {floor.line(1): 2, floor.line(2): 1}
