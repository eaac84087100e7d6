"""Measures trackable beside what its users would do instead, and writes the table of it.

``python -m benchmarks`` measures everything but ``--growth`` and takes ten minutes, ``--quick``
two. A run of all writes ``benchmarks/results/latest``, ``quick`` or ``growth``, as ``.json`` and
``.md``; a run of some measures, or a quick one of the growth, only prints them.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from benchmarks import comparing, lab, machine, results, table
from benchmarks.lab import Lab
from benchmarks.measuring import MEASURES, Measure, Result, run

ROUNDS = 5
QUICK_ROUNDS = 3
QUICK_SHARE_OF_BUDGET = 0.15


def main(arguments: Sequence[str] | None = None) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    options = parsed(arguments)
    with lab.opened(quick=options.quick) as here, ExitStack() as stack:
        import benchmarks.measures  # noqa: F401  # enters them; Django had to be set up

        if options.list:
            print(*(f"{m.name:<24} {m.title}" for m in MEASURES.values()), sep="\n")
            return
        chosen = list(choice(options.measures, is_growth=options.growth))
        needed = {name for each in chosen for name in each.needs}
        here.start({"postgresql", *needed} - here.missing(needed), stack)
        here.migrate()
        about = machine.about(here)
        if options.quick:
            about["quick"] = (
                "sizes are less than the titles say, and so is what the figures are worth"
            )
        rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
        found = [measured(each, here, rounds) for each in chosen]
    report(options, about, found)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help="measure these only")
    parser.add_argument("--quick", action="store_true", help="less of everything, in two minutes")
    parser.add_argument("--growth", action="store_true", help="measure how cost grows, for long")
    parser.add_argument("--rounds", type=int, help="rounds after the warm-up")
    parser.add_argument("--compare", action="store_true", help="with the last committed table")
    parser.add_argument("--list", action="store_true", help="name the measures")
    return parser.parse_args(arguments)


def choice(names: Sequence[str], *, is_growth: bool) -> Iterator[Measure]:
    """Yield the measures of these names, or all of a run."""
    unknown = set(names) - MEASURES.keys()
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; --list names the measures")
    for each in MEASURES.values():
        if each.name in names or (not names and each.is_growth == is_growth):
            yield each


def measured(subject: Measure, here: Lab, rounds: int) -> Result:
    """Run a measure; one that fails does not keep the others from being run."""
    if missing := here.missing(subject.needs):
        return Result(subject, failure=f"{', '.join(missing)} not installed")
    if here.quick:
        budget = subject.budget_seconds * QUICK_SHARE_OF_BUDGET
        subject = replace(subject, budget_seconds=budget)
    started = time.monotonic()
    print(f"{subject.name} ...", end=" ", flush=True)
    try:
        result = run(subject, here, rounds)
    except Exception as error:
        traceback.print_exc()
        result = Result(subject, failure=f"{type(error).__name__}: {error}")
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    return result


def report(options: argparse.Namespace, about: dict[str, object], found: Sequence[Result]) -> None:
    name = "quick" if options.quick else "growth" if options.growth else "latest"
    print(table.as_markdown(results.TITLES[name], about, found))
    if options.compare:
        worse = comparing.compare(results.committed(name), table.as_json(about, found))
        print(*(worse or ["No ratio is worse by more than 20%."]), sep="\n")
    if not options.measures and not (options.quick and options.growth):
        results.write(name, about, found, with_charts=not options.quick)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; nothing was written.")
