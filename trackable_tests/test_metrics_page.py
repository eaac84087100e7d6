"""The reference has every metric, as the code has it, and the key of its figure in the JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from django.conf import settings

from trackable import metrics
from trackable.metrics import StatusCollector
from trackable.status.report import as_json
from trackable_tests.test_metrics import FULL

DOCS = settings.BASE_DIR / "docs"
PAGE = (DOCS / "reference" / "metrics.md").read_text()
HOW_TO = (DOCS / "how-to" / "monitor.md").read_text()
ROW = re.compile(
    r"^\| `trackable_(\w+)` \| (\w+) \| (.*?) ?\| (?:`(.*?)` )?\| (.+) \|$", re.MULTILINE
)

#: no figure, but whether there are any
UP = "up"


def names() -> set[str]:
    described = StatusCollector().describe()
    return {each.name + ("_total" if each.type == "counter" else "") for each in described}


def test_every_metric_has_its_row_with_its_type_and_labels() -> None:
    rows = {name: (kind, labels) for name, kind, labels, *_ in ROW.findall(PAGE)}
    counters = {f"{name}_total": ("counter", "") for name, _ in metrics.SUMS.values()}
    gauges = {
        name: ("gauge", ", ".join(f"`{label}`" for label in labels))
        for name, (_, labels) in metrics.GAUGES.items()
    }
    assert rows == {**gauges, **counters}
    assert next(iter(rows)) == UP


def found_at(figures: Any, path: str) -> list[Any]:
    """Return what is at a path of keys; a star is any key."""
    found = [figures]
    for key in path.split("."):
        found = [each for one in found for each in (one.values() if key == "*" else [one[key]])]
    return found


def test_every_figure_is_in_the_json_where_its_row_says() -> None:
    figures = json.loads(as_json(FULL, []))
    for name, _, labels, path, _ in ROW.findall(PAGE):
        assert (path == "") == (name == UP)
        if path:
            assert found_at(figures, path)
            assert path.count("*") == labels.count("`") // 2


def test_sums_are_where_their_rows_say() -> None:
    paths = {name: path for name, _, _, path, _ in ROW.findall(PAGE)}
    for key, (name, _) in metrics.SUMS.items():
        assert paths[f"{name}_total"] == f"machine.sums.{key}"


def test_the_how_to_page_names_only_metrics_that_there_are() -> None:
    named = set(re.findall(r"trackable_[a-z_]+(?![a-z_]*\.)", HOW_TO)) - {"trackable_status"}
    assert named
    assert named <= names()
