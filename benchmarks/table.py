"""The table: results as JSON and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from benchmarks.figures import Summary
from benchmarks.measuring import Result, Target

HOW_MANY_DIGITS: Final = 3
TIMES: Final = "\N{MULTIPLICATION SIGN}"


def as_json(about: Mapping[str, Any], results: Sequence[Result]) -> dict[str, Any]:
    """Return everything that was measured, for other programs."""
    return {**about, "measures": {result.measure.name: _measure(result) for result in results}}


def _measure(result: Result) -> dict[str, Any]:
    subject = result.measure
    about = {"title": subject.title, "unit": subject.unit, "better": subject.better}
    if not result.figures:
        return {**about, "failure": result.failure}
    rows = {
        row: {**asdict(result.summary(row)), **_ratio(result, row), "figures": figures}
        for row, figures in result.figures.items()
    }
    targets = [
        {**asdict(target), **asdict(found), "met": target.is_met(found.median)}
        for target in subject.targets
        if (found := result.figure(target))
    ]
    return {**about, "rows": rows, "targets": targets}


def _ratio(result: Result, row: str) -> dict[str, Any]:
    if not result.measure.has_ratios:
        return {}
    other = result.counterpart(row)
    ratio = asdict(result.ratio(row, other))
    return {"ratio": {"to": other, "is_ours": result.is_ours(row), **ratio}}


def as_markdown(
    title: str, about: Mapping[str, Any], results: Sequence[Result], charts: str | None = None
) -> str:
    """Return the page: the targets first, then each measure with its chart in a folder."""
    parts = [f"# {title}", *_about(about), "## Targets", "\n".join(_targets(results))]
    for result in results:
        parts += [f"## {result.measure.name}: {result.measure.title}", *_section(result, charts)]
    return "\n\n".join(parts) + "\n"


def _about(about: Mapping[str, Any]) -> Iterator[str]:
    for name, value in about.items():
        text = value
        if isinstance(value, Mapping):
            text = ", ".join(f"{key} {what}" for key, what in value.items())
        yield f"**{name.capitalize()}**: {text}"


def _targets(results: Iterable[Result]) -> Iterator[str]:
    yield from _header("measure", "target", "figure", "interval", "")
    for result in results:
        for target in result.measure.targets:
            found = result.figure(target)
            unit = TIMES if target.against else result.measure.unit
            figures = (_with_unit(found.median, unit), _interval(found)) if found else ("", "")
            yield _line(result.measure.name, words(target, unit), *figures, verdict(target, found))


def words(target: Target, unit: str) -> str:
    """Return what a target asks for."""
    what = f"{target.of} to {target.against}" if target.against else target.of
    bounds = {"at most": target.at_most, "at least": target.at_least}
    asked = [f"{how} {_with_unit(bound, unit)}" for how, bound in bounds.items() if bound]
    return f"{what}: {' and '.join(asked)}"


def verdict(target: Target, found: Summary | None) -> str:
    """Return whether the median meets the target, and whether the interval leaves that open."""
    if found is None:
        return "not measured"
    is_open = target.is_met(found.low) != target.is_met(found.high)
    met = "**met**" if target.is_met(found.median) else "not met"
    return f"{met}, within the noise" if is_open else met


def _section(result: Result, charts: str | None) -> Iterator[str]:
    subject = result.measure
    if subject.note:
        yield subject.note
    if not result.figures:
        yield f"Not measured: {result.failure}"
        return
    yield "\n".join(_rows(result))
    if charts:
        yield f"![{subject.title}]({charts}/{subject.name}.svg)"


def _rows(result: Result) -> Iterator[str]:
    has_ratios = result.measure.has_ratios
    ratio_names = ("ratio", "interval", "to") if has_ratios else ()
    yield from _header("", result.measure.unit, "interval", *ratio_names, "rounds")
    for row in result.figures:
        found = result.summary(row)
        ratio = _ratio_cells(result, row) if has_ratios else ()
        yield _line(row, number(found.median), _interval(found), *ratio, str(found.rounds))


def _ratio_cells(result: Result, row: str) -> tuple[str, ...]:
    other = result.counterpart(row)
    if row == other:
        return "", "", ""
    ratio = result.ratio(row, other)
    return f"{number(ratio.median)} {TIMES}", _interval(ratio), other


def _header(*cells: str) -> Iterator[str]:
    yield _line(*cells)
    yield _line("---", *["---:"] * (len(cells) - 1))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _interval(found: Summary) -> str:
    return f"{number(found.low)} to {number(found.high)}"


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()


def number(value: float) -> str:
    """Return a figure with three digits that count, and thousands apart."""
    if abs(value) >= 10 ** (HOW_MANY_DIGITS - 1):
        return f"{value:,.0f}"
    # 1.03 is not 1.0 where 3% matter.
    text = f"{value:.4g}" if 0.9 < abs(value) < 1.1 else f"{value:.{HOW_MANY_DIGITS}g}"
    return text if "e" not in text else f"{value:.6f}"
