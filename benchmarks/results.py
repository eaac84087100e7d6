"""Results: the files that the tables are kept in, and the last ones that were committed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks import table
from benchmarks.children import ROOT
from benchmarks.measuring import Result

FOLDER: Final = ROOT / "benchmarks" / "results"
CHARTS: Final = ROOT / "docs" / "explanation" / "charts"
CHARTS_FROM_TABLES: Final = "../../docs/explanation/charts"
TITLES: Final = {
    "latest": "The newest table",
    "quick": "A quick run",
    "growth": "How cost grows",
}


def committed(name: str) -> dict[str, Any]:
    """Return the table as it was last committed, or as it is here where there is no repository."""
    path = f"benchmarks/results/{name}.json"
    show = subprocess.run(
        ["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    here = ROOT / path
    text = show.stdout or (here.read_text() if here.exists() else '{"measures": {}}')
    return dict(json.loads(text))


def write(
    name: str, about: Mapping[str, Any], results: Sequence[Result], *, with_charts: bool
) -> None:
    """Write the table as JSON and as Markdown, and a chart of each measure."""
    FOLDER.mkdir(exist_ok=True)
    content = json.dumps(table.as_json(about, results), indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(content + "\n")
    folder = CHARTS_FROM_TABLES if with_charts else None
    (FOLDER / f"{name}.md").write_text(table.as_markdown(TITLES[name], about, results, folder))
    if with_charts:
        _draw(results)


def _draw(results: Sequence[Result]) -> None:
    from benchmarks import charts  # only here: who prints a table needs no matplotlib

    for result in results:
        if result.figures:
            charts.draw(result, CHARTS)
