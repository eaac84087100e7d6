"""The report of a run, for people and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final

from trackable_tests.faults.pairings import TARGETS, Pairing
from trackable_tests.faults.run import Result
from trackable_tests.faults.sabotage import SABOTAGES

MAX_DIFFERENCES: Final = 10
EXACT, NOT_EXACT, UNUSABLE = 0, 1, 2
UNTESTED: Final = "UNUSABLE: what was not reached or not had is not tested"
#: what a proxy says once it has done what it was told
DONE_BY_PROXY: Final = {
    "cut": "cut",
    "cut-after-bytes": "cut after bytes",
    "cut-before-commit": "commit lost",
    "cut-after-commit": "commit answer lost",
}


def command_of(result: Result) -> str:
    """Return what repeats the run."""
    plan = result.plan
    parts = ["python -m trackable_tests.faults", f"--seed {plan.seed}"]
    if result.sabotage:
        parts.append(f"--sabotage {result.sabotage}")
    parts += [f"--database {plan.pairing.database}", f"--broker {plan.pairing.broker}"]
    parts += [f"--kills {plan.kills}", f"--seconds {plan.seconds:g}"]
    if plan.first:
        parts.append(f"--first {shlex.quote(','.join(plan.first))}")
    return " ".join(parts)


def as_json(result: Result) -> dict[str, Any]:
    plan, recorded, comparison = result.plan, result.recorded, result.comparison
    return {
        "database": plan.pairing.database,
        "broker": plan.pairing.broker,
        "seed": plan.seed,
        "sabotage": result.sabotage,
        "exact": result.is_exact,
        "seconds": round(result.seconds, 1),
        "kills": result.kills,
        "faults": dict(sorted(result.faults.items())),
        "repairs": result.repairs,
        "points_not_reached": not_reached(result),
        "kinds_not_had": [] if result.sabotage else kinds_not_had(plan.pairing, result.faults),
        "emitted": recorded.emitted,
        "acknowledged": recorded.acknowledged,
        "refused": recorded.refused,
        "uncertain": recorded.uncertain,
        "counted": comparison.counted,
        "lost": comparison.lost,
        "doubled": comparison.doubled,
        "rows": comparison.rows,
        "differences": [str(d) for d in comparison.differences[:MAX_DIFFERENCES]],
        "failures": result.failures,
        "folder": str(result.folder) if result.folder else None,
        "command": command_of(result),
    }


def not_reached(result: Result) -> list[str]:
    """Return the fault points that nothing came to."""
    pairing = result.plan.pairing
    points = {**pairing.points_of("producer"), **pairing.points_of("folder")}
    fired = {name.split()[0] for name in result.faults}
    return sorted(set(result.plan.points or points) - fired)


def kinds_not_had(pairing: Pairing, faults: Mapping[str, int]) -> list[str]:
    """Return the kinds of fault that nothing has met, though the pairing has them."""
    return [
        pairing.name_of(target, kind)
        for target in TARGETS
        for kind in pairing.kinds_of(target)
        if _trace_of(pairing, target, kind) not in faults
    ]


def _trace_of(pairing: Pairing, target: str, kind: str) -> str:
    """Return what a run counts a kind of fault as, once it has happened."""
    if pairing.is_server(target) and kind in DONE_BY_PROXY:
        return f"{target} proxy: {DONE_BY_PROXY[kind]}"
    return f"{target} {kind}"


def missed(found: Mapping[str, Any]) -> list[str]:
    """Return what a run has not tested, though its pairing has it."""
    return [*found["points_not_reached"], *found["kinds_not_had"]]


def missed_by_all(runs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what no run of several has tested, though the pairing of one has it."""
    names: set[str] = set()
    had: set[str] = set()
    for found in runs:
        own = set(Pairing(found["database"], found["broker"]).names())
        names |= own
        had |= own.difference(missed(found))
    return sorted(names - had)


def lines(found: dict[str, Any]) -> list[str]:
    """Return a report as lines of text."""
    verdict = "exact" if found["exact"] else "NOT EXACT"
    faults = ", ".join(f"{name} {number}" for name, number in found["faults"].items())
    repairs = ", ".join(f"{name} {number}" for name, number in found["repairs"].items())
    increments = ("emitted", "acknowledged", "refused", "uncertain", "counted", "lost", "doubled")
    numbers = ", ".join(f"{name} {found[name]}" for name in increments)
    text = [
        f"{found['database']} x {found['broker']}, seed {found['seed']}: {verdict}",
        f"  increments: {numbers}; in {found['rows']} counters of rows",
        f"  kills: {found['kills']} in {found['seconds']} s; faults: {faults}",
        f"  {repairs}",
    ]
    if found["points_not_reached"]:
        text.append(f"  fault points not reached: {', '.join(found['points_not_reached'])}")
    if found["kinds_not_had"]:
        text.append(f"  kinds of fault not had: {', '.join(found['kinds_not_had'])}")
    text += [f"  {failure}" for failure in found["failures"]]
    text += [f"  {difference}" for difference in found["differences"]]
    if found["folder"]:
        text.append(f"  kept: {found['folder']}")
    return [*text, f"  again: {found['command']}"]


def verdict_on_sabotage(found: dict[str, Any]) -> tuple[bool, str]:
    """Tell whether a sabotage had the outcome that it must have, and say so in a line."""
    name = found["sabotage"]
    outcome = f"lost {found['lost']}, doubled {found['doubled']}"
    if SABOTAGES[name].is_healed:
        return found["exact"], f"{name}: {'healed' if found['exact'] else 'NOT HEALED'}, {outcome}"
    is_caught = bool(found["differences"])
    return is_caught, f"{name}: {'caught' if is_caught else 'NOT CAUGHT'}, {outcome}"
