"""The fault harness: ``python -m trackable_tests.faults``, or ``make faults``.

Kills whatever can be killed while increments are emitted and folded, and then compares what was
counted with what was acknowledged, row by row. Ends with 0 only if that is exact, with 1 if it is
not, and with 2 if the run cannot be used: a server is not installed, or something was not tested.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
from collections.abc import Sequence
from typing import Final

from trackable_tests.demo.runner import ending
from trackable_tests.faults import matrix, pairings, plan, report
from trackable_tests.faults.deaths import die_with
from trackable_tests.faults.report import EXACT, NOT_EXACT, UNUSABLE
from trackable_tests.faults.sabotage import SABOTAGES
from trackable_tests.faults.servers import ProgramMissing

PATIENCE_SECONDS: Final = 60.0
SABOTAGED_PATIENCE_SECONDS: Final = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for and return the exit status."""
    options = parse(arguments)
    ending.on_signals()
    if options.parent:
        die_with(options.parent, signal.SIGTERM)
    try:
        if options.all or options.short or options.sabotages:
            return matrix.run_all(options)
        return run_one(options)
    except ProgramMissing as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    except ending.Ended as ended:
        return ended.status


def run_one(options: argparse.Namespace) -> int:
    from trackable_tests.faults.run import run

    patience = options.patience or patience_of(options)
    result = run(plan_of(options), options.sabotage, patience=patience, keep=options.keep)
    found = report.as_json(result)
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(report.lines(found)))
    is_right = result.is_exact
    if options.sabotage:
        is_right, verdict = report.verdict_on_sabotage(found)
        print(verdict, file=sys.stderr if options.json else sys.stdout)
    if is_right and options.complete and report.missed(found):
        print(report.UNTESTED, file=sys.stderr)
        return UNUSABLE
    return EXACT if is_right else NOT_EXACT


def patience_of(options: argparse.Namespace) -> float:
    """Return how many seconds a run may take to come to rest; some sabotages keep it from that."""
    is_caught = options.sabotage and not SABOTAGES[options.sabotage].is_healed
    return SABOTAGED_PATIENCE_SECONDS if is_caught else PATIENCE_SECONDS


def plan_of(options: argparse.Namespace) -> plan.Plan:
    if options.sabotage:
        sabotage = SABOTAGES[options.sabotage]
        pairing = pairings.Pairing(
            options.database or sabotage.pairing.database, options.broker or sabotage.pairing.broker
        )
        return plan.make(
            options.seed,
            pairing,
            options.kills or sabotage.kills,
            options.seconds or sabotage.seconds,
            targets=sabotage.targets,
            points=sabotage.points,
        )
    pairing = pairings.Pairing(options.database or "sqlite", options.broker or pairings.NO_BROKER)
    kills = options.kills or plan.KILLS
    return plan.make(options.seed, pairing, kills, options.seconds, first=options.first)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trackable_tests.faults", description=__doc__)
    add = parser.add_argument
    add("--seed", type=int, default=random.randrange(1_000_000), help="of the plan (by chance)")
    add("--database", choices=pairings.DATABASES, help="(sqlite)")
    add("--broker", choices=pairings.BROKERS, help="(none)")
    add("--kills", type=int, help=f"processes to kill, at the least ({plan.KILLS})")
    add("--seconds", type=float, help="how long the faults go on (until each kind was had)")
    add(
        "--first",
        type=lambda names: names.split(","),
        default=(),
        metavar="NAME,...",
        help="fault points and kinds of fault that come before others",
    )
    add("--complete", action="store_true", help="end with 2 if a point or a kind was not had")
    add("--patience", type=float, metavar="SECONDS", help="until it must have come to rest (60)")
    add("--keep", action="store_true", help="keep journal, records and logs even if it is exact")
    add("--sabotage", choices=SABOTAGES, help="break trackable so; ends with 0 if that is caught")
    add("--all", action="store_true", help="run every pairing of database and broker, completely")
    add("--short", action="store_true", help="run the pairings that find most, then the sabotages")
    add("--sabotages", action="store_true", help="run every sabotage")
    add("--parent", type=int, help=argparse.SUPPRESS)
    add("--json", action="store_true", help="report in JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
