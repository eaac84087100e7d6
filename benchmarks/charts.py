"""Charts: a picture of each measure, as SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.measuring import Result

OURS: Final = "#1f6f8b"
OTHERS: Final = "#b8b8b8"
#: The same results give the same file.
STABLE: Final = {"svg.hashsalt": "trackable", "svg.fonttype": "none", "font.size": 9}
LOGARITHMIC_FROM: Final = 20.0


def draw(result: Result, folder: Path) -> None:
    """Write the chart of a measure that has figures."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STABLE):
        height = 2.8 if result.measure.axis else 0.7 + 0.32 * len(result.figures)
        figure = Figure(figsize=(7, height), layout="constrained")
        axes = figure.add_subplot()
        (_curves if result.measure.axis else _bars)(axes, result)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(folder / f"{result.measure.name}.svg", metadata={"Date": None})


def _bars(axes: Any, result: Result) -> None:
    names = list(result.figures)
    found = [result.summary(name) for name in names]
    medians = [each.median for each in found]
    ends = [[s.median - s.low for s in found], [s.high - s.median for s in found]]
    colours = [OURS if result.is_ours(name) else OTHERS for name in names]
    axes.barh(names, medians, xerr=ends, color=colours, error_kw={"lw": 0.8}, height=0.7)
    axes.invert_yaxis()
    axes.set_xlabel(_label(result))
    if min(medians) > 0 and max(medians) / min(medians) > LOGARITHMIC_FROM:
        axes.set_xscale("log")


def _curves(axes: Any, result: Result) -> None:
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in result.figures:
        name, _, at = row.rpartition(", ")
        curves.setdefault(name, []).append((float(at), result.summary(row).median))
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", lw=1.5, label=name)
    places = [place for points in curves.values() for place, _ in points]
    if max(places) / min(places) > LOGARITHMIC_FROM:
        axes.set_xscale("log")
    else:
        axes.set_xticks(sorted(set(places)))
    heights = [height for points in curves.values() for _, height in points]
    if min(heights) > 0 and max(heights) / min(heights) > LOGARITHMIC_FROM:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(result.measure.axis)
    axes.set_ylabel(_label(result))
    axes.legend(frameon=False)


def _label(result: Result) -> str:
    return f"{result.measure.unit} ({result.measure.better} is better)"
