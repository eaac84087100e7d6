"""The report: counts by day and page beside what was sent. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from trackable_tests.demo.runner.tally import Key, Tally

NAME_WIDTH: Final = 56
SHOWN_DAYS: Final = 7
SHOWN_ERRORS: Final = 20
HEADINGS: Final = ("day", "what", "sent", "counted", "")


def table(tally: Tally, counted: Mapping[Key, int], *, shown_a_day: int) -> list[str]:
    """Return the lines of the table: the most counted of each day, and the day's total."""
    by_day: dict[str, list[Key]] = defaultdict(list)
    for key in tally.keys | counted.keys():
        by_day[key[1]].append(key)
    days = sorted(_busiest(by_day, counted))
    rows = [row for day in days for row in _day(day, by_day[day], tally, counted, shown_a_day)]
    lines = aligned([HEADINGS, *rows])
    if len(days) < len(by_day):
        lines.append(f"(the {len(days)} busiest of {len(by_day)} days)")
    return lines


def _busiest(by_day: Mapping[str, Sequence[Key]], counted: Mapping[Key, int]) -> list[str]:
    totals = Counter({day: sum(counted.get(k, 0) for k in keys) for day, keys in by_day.items()})
    return [day for day, _ in totals.most_common(SHOWN_DAYS)]


def _day(
    day: str, keys: Sequence[Key], tally: Tally, counted: Mapping[Key, int], shown: int
) -> Iterator[tuple[str, ...]]:
    ordered = sorted(keys, key=lambda key: (-counted.get(key, 0), key))
    for key in ordered[:shown]:
        yield _row(key, tally, counted.get(key, 0))
    rest = ordered[shown:]
    if rest:
        yield _sum(day, f"{len(rest):,} more", rest, tally, counted)
    yield _sum(day, "together", ordered, tally, counted)


def _row(key: Key, tally: Tally, count: int) -> tuple[str, ...]:
    mark = "" if tally.is_right(key, count) else "WRONG"
    return (key[1], shortened(key[0]), tally.expected(key), f"{count:,}", mark)


def _sum(
    day: str, what: str, keys: Sequence[Key], tally: Tally, counted: Mapping[Key, int]
) -> tuple[str, ...]:
    right = all(tally.is_right(key, counted.get(key, 0)) for key in keys)
    total = sum(counted.get(key, 0) for key in keys)
    return (day, what, tally.expected_of(keys), f"{total:,}", "" if right else "WRONG")


def shortened(name: str) -> str:
    """Return a name that fits its column and cannot move the cursor."""
    printable = "".join(c if c.isprintable() else "�" for c in name)
    return printable if len(printable) <= NAME_WIDTH else printable[: NAME_WIDTH - 1] + "…"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as lines: the first two columns to the left, the numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def verdict(errors: Sequence[str], praise: str) -> list[str]:
    """Return the last lines: what is wrong, or that nothing is."""
    if not errors:
        return [praise]
    more = len(errors) - SHOWN_ERRORS
    shown = [f"WRONG: {error}" for error in errors[:SHOWN_ERRORS]]
    return [*shown, f"... and {more:,} more"] if more > 0 else shown


def crawlers(tally: Tally, filtered: Mapping[str, int], kinds: Mapping[str, str]) -> list[str]:
    """Return the lines of the table of crawlers' hits, of which none is counted."""
    rows = [
        ("crawlers", kind, sent, f"{filtered.get(kind, 0):,}")
        for kind, sent in tally.crawlers_expected(kinds).items()
    ]
    return aligned([("filtered", "for", "sent", "filtered"), *rows])
