"""Comparing: which ratios became worse since another table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.table import number

WORSE: Final = 1.2


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for each ratio that became worse by more than 20% since the old table.

    Measures that have no ratios are compared by their figures.
    """
    lines = []
    for name, measured in new["measures"].items():
        before = _standings(old["measures"].get(name, {}))
        for row, now in _standings(measured).items():
            then = before.get(row)
            if not then or not now:
                continue
            growth = then / now if measured["better"] == "more" else now / then
            if growth > WORSE:
                change = f"{number(then)} → {number(now)}, {100 * (growth - 1):.0f}% worse"
                lines.append(f"{name}: {row}: {change}")
    return lines


def _standings(measured: Mapping[str, Any]) -> dict[str, float]:
    """Return how trackable stands beside each other row, and beside its own first one."""
    found = {}
    for row, figures in measured.get("rows", {}).items():
        ratio = figures.get("ratio")
        if ratio is None:
            found[row] = figures["median"]
        elif ratio["is_ours"] and row != ratio["to"]:
            found[f"{row} to {ratio['to']}"] = ratio["median"]
        elif ratio["median"] and not ratio["is_ours"]:
            found[f"{ratio['to']} to {row}"] = 1 / ratio["median"]
    return found
