"""Reckons what a site needs beyond one machine, from what each part costs on one.

``python -m benchmarks.scaling`` prints the page's tables, and ``--write`` writes them;
``--increments-per-day 2e9 --machines 40 --folders 3`` and so on print one day of that site.
The costs are those of ``benchmarks/results/latest.json`` where that has them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isinf
from pathlib import Path
from typing import Any, Final

from benchmarks.simulation import DAY_SECONDS, Costs, Day, Site, simulate

RESULTS: Final = Path(__file__).parent / "results"
LATEST: Final = RESULTS / "latest.json"
TABLES: Final = RESULTS / "scaling.md"
#: The ledger forgets after the horizon and a day.
LEDGER_DAYS: Final = 8
#: Of a counter with short names, and the default ``TRACKABLE_JOURNAL_MAX_BYTES``.
JOURNAL_BYTES_A_LINE: Final = 71
JOURNAL_MAX_BYTES: Final = 1 << 30
EARLIER: Final = "an earlier run"


@dataclass(frozen=True, slots=True)
class Figure:
    """A cost: where the benchmarks have it, and what it was when this was written."""

    name: str
    measure: str
    row: str
    default: float
    unit: str = "µs"


FIGURES: Final = {
    "emit": Figure("an emit", "emit", "emit", 10.0),
    "publish": Figure("publishing a batch", "parts", "trackable, publishing a batch", 716),
    "fold": Figure("a fold that finds nothing", "parts", "trackable, a fold", 5630),
    "batch": Figure("each batch of a fold", "parts", "trackable, a batch", 432),
    "entry": Figure("each entry of a batch", "parts", "trackable, an entry", 5.43),
    "row": Figure("each row of a fold", "parts", "trackable, a row", 46.7),
    "database_row": Figure("of that, in the database", "parts", "the database, a row", 17.5),
    "ledger_row": Figure("an entry in the ledger", "ledger", "ledger, bytes a row", 278, "bytes"),
}

BILLION: Final = Site(1e9, machines=20, folders=2)
LADDER: Final = {
    "one machine": Site(1e7),
    "more machines, a broker": Site(1e8, machines=4),
    "a billion, one folder": replace(BILLION, folders=1),
    "with two folders": BILLION,
    "or with folds once a minute, of more": replace(
        BILLION, folders=1, watch_seconds=60, max_counters=500_000
    ),
    "or with segments of 5 s": replace(BILLION, folders=1, flush_seconds=5),
    "two folders, off for an hour at noon": replace(BILLION, outage_seconds=3600),
    "ten billion, two folders": Site(1e10, machines=200, folders=2),
    "with segments of 5 s": Site(1e10, machines=200, folders=2, flush_seconds=5),
    "and eight folders": Site(1e10, machines=200, folders=8, flush_seconds=5),
    "and four databases": Site(1e10, machines=200, folders=4, flush_seconds=5, databases=4),
}
EXAMPLE: Final = "with two folders", "two folders, off for an hour at noon"


def figures(path: Path = LATEST) -> tuple[dict[str, float], set[str]]:
    """Return the figures by name, and the names of those that the last run has not measured."""
    measures = json.loads(path.read_text())["measures"] if path.exists() else {}
    found = {name: _median(measures, each) for name, each in FIGURES.items()}
    absent = {name for name, value in found.items() if value is None}
    return {n: FIGURES[n].default if v is None else v for n, v in found.items()}, absent


def _median(measures: Mapping[str, Any], figure: Figure) -> float | None:
    rows = measures.get(figure.measure, {}).get("rows", {})
    return rows[figure.row]["median"] if figure.row in rows else None


def costs_of(found: Mapping[str, float]) -> Costs:
    return Costs(**{each.name: found[each.name] for each in fields(Costs)})


def tables(found: Mapping[str, float], absent: set[str]) -> str:
    """Return the Markdown that the page includes."""
    costs = costs_of(found)
    days = {name: simulate(site, costs) for name, site in LADDER.items()}
    normal, outage = (days[name] for name in EXAMPLE)
    parts = [
        "# The reckoning",
        "## What each part costs",
        lines(_figure_rows(found, absent)),
        "## Loads, and what carries them",
        lines(_day_rows(LADDER, days, costs)),
        "## A billion increments a day",
        lines(f"- {each}" for each in _example(BILLION, normal, outage, found)),
    ]
    return "\n\n".join(parts) + "\n"


def lines(found: Iterable[str]) -> str:
    return "\n".join(found)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _figure_rows(found: Mapping[str, float], absent: set[str]) -> Iterator[str]:
    yield _row("", "cost", "from")
    yield _row("---", "---:", "---")
    for name, figure in FIGURES.items():
        source = EARLIER if name in absent else f"the newest table, `{figure.measure}`"
        yield _row(figure.name, f"{number(found[name])} {figure.unit}", source)


def _day_rows(sites: Mapping[str, Site], days: Mapping[str, Day], costs: Costs) -> Iterator[str]:
    titles = "increments a day", "machines", "databases", "folders of each"
    busy = "a folder is busy", "a database is busy", "a shipper is busy"
    times = "half are committed in", "99% in"
    yield _row("", *titles, "messages a second", *busy, *times, "most that waits", "at midnight")
    yield _row("---", *["---:"] * 12)
    for name, site in sites.items():
        yield _row(name, *_cells(site, days[name], costs))


def _cells(site: Site, day: Day, costs: Costs) -> Iterator[str]:
    messages = day.batches_a_second * site.databases
    shipper = messages / site.machines * costs.publish / 1e6
    yield from map(number, (site.increments_per_day, site.machines, site.databases, site.folders))
    yield number(messages)
    yield from (f"{busy:.0%}" for busy in (day.folders_busy, day.database_busy, shipper))
    yield from (duration(day.latency(share)) for share in (0.5, 0.99))
    yield from (number(waiting * site.databases) for waiting in (day.most_backlog, day.backlog))


def _example(site: Site, day: Day, outage: Day, found: Mapping[str, float]) -> Iterator[str]:
    mean = site.increments_per_day / DAY_SECONDS
    most, each = mean * site.peak, mean * site.peak / site.machines
    messages, share = day.batches_a_second, most / day.batches_a_second
    ledger_gib = day.batches * found["ledger_row"] / (1 << 30)
    written = site.increments_per_day / day.rows_written
    yield f"**Rate**: {number(mean)} a second in the mean, {number(most)} at noon."
    yield (
        f"**Emit**: {number(each)} a second on each of {site.machines} machines at noon, which is"
        f" {number(each * found['emit'] / 1e4)}% of one core."
    )
    yield (
        f"**Ship**: {site.machines * site.processes} processes seal a segment every"
        f" {site.flush_seconds} s, which makes {number(messages)} messages a second, of"
        f" {number(share)} increments each."
    )
    yield (
        f"**Fold**: {number(day.rows_written)} times a row is written in a day, once for"
        f" {number(written)} increments. Each of {site.folders} folders is busy for"
        f" {day.folders_busy:.0%} of the hour around noon, and the database for"
        f" {day.database_busy:.0%}; 99% of the increments are committed within"
        f" {duration(day.latency(0.99))} of their emit."
    )
    yield (
        f"**Ledger**: {number(day.batches)} entries a day take {number(ledger_gib)} GiB. It keeps"
        f" {LEDGER_DAYS} days: {number(ledger_gib * LEDGER_DAYS)} GiB."
    )
    yield (
        f"**Rows**: at most {number(site.objects)} new ones a day, one for each object that was"
        f" hit, and {number(site.objects * 365)} a year."
    )
    yield (
        f"**No folds for an hour from noon on**: {number(outage.most_backlog)} increments wait."
        " From the return of the folders until they are folded:"
        f" {duration(outage.recovery_seconds)}."
    )
    yield (
        "**No broker from noon on**: the journal of each machine is at its default bound of 1 GiB"
        f" after {duration(JOURNAL_MAX_BYTES / (each * JOURNAL_BYTES_A_LINE))}."
    )


def number(value: float) -> str:
    """Return a number with three digits that count, and thousands apart."""
    if value >= 100:
        digits = max(len(f"{value:.0f}") - 3, 0)
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}" if value >= 0.01 else "0"


def duration(seconds: float) -> str:
    if isinf(seconds):
        return "never"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{number(seconds / size)} {unit}"
    return f"{seconds:.1f} s"


def one_day(site: Site, costs: Costs) -> str:
    """Return the table of one site's day."""
    return lines(_day_rows({"": site}, {"": simulate(site, costs)}, costs))


def main(arguments: Sequence[str] | None = None) -> None:
    options = vars(parsed(arguments))
    is_to_be_written = options.pop("write")
    found, absent = figures()
    if options:
        print(one_day(Site(**{"increments_per_day": 1e9, **options}), costs_of(found)))
        return
    text = tables(found, absent)
    if is_to_be_written:
        TABLES.write_text(text)
    print(text, end="")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--write", action="store_true", default=False, help=f"write {TABLES.name}")
    for each in fields(Site):
        kind = int if each.type == "int" else float
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=kind, metavar="N")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
