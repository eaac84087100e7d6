"""Several runs, each in a process of its own: settings, once read, stay."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trackable_tests.faults import plan, report
from trackable_tests.faults.dealing import deal
from trackable_tests.faults.pairings import BROKERS, DATABASES, Pairing
from trackable_tests.faults.report import EXACT, NOT_EXACT, UNUSABLE
from trackable_tests.faults.sabotage import SABOTAGES

ROOT: Final = Path(__file__).resolve().parent.parent.parent

#: the pairings of the short form: each server once, and both ways without a broker that keeps
SHORT: Final = (
    Pairing("mariadb", "rabbitmq"),
    Pairing("postgresql", "redis"),
    Pairing("sqlite", "filesystem"),
    Pairing("sqlite", "none"),
)
SHORT_KILLS: Final = 40
SHORT_SECONDS: Final = 15.0
#: a fail-over comes soon, because what it loses is sent again only after a while
COMPLETELY: Final = ("--complete", "--first", "database fail-over")
JOBS: Final = 2
VERDICTS: Final = {
    EXACT: "everything is as it must be",
    NOT_EXACT: "NOT everything is as it must be",
    UNUSABLE: "UNUSABLE: not everything was tested",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A run, as the arguments of its command."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int
    text: str
    found: dict[str, Any] = field(default_factory=dict)


def jobs(options: argparse.Namespace) -> list[Job]:
    """Return the runs that are asked for."""
    found = []
    if options.all:
        every = [Pairing(database, broker) for database in DATABASES for broker in BROKERS]
        more = COMPLETELY if _is_long(options) else ()
        found += [_of_pairing(each, options.kills, options.seconds, *more) for each in every]
    if options.short:
        found += [
            _of_pairing(each, SHORT_KILLS, SHORT_SECONDS, "--first", ",".join(names))
            for each, names in deal(options.seed, SHORT).items()
        ]
    if options.short or options.sabotages:
        found += [Job(name, ("--sabotage", name)) for name in SABOTAGES]
    return found


def _is_long(options: argparse.Namespace) -> bool:
    """Tell whether runs are long enough to come to every fault point and have every fault."""
    return options.seconds is None and (options.kills or plan.KILLS) >= plan.KILLS


def _of_pairing(pairing: Pairing, kills: int | None, seconds: float | None, *more: str) -> Job:
    arguments = ["--database", pairing.database, "--broker", pairing.broker]
    arguments += ["--kills", str(kills)] if kills else []
    arguments += ["--seconds", str(seconds)] if seconds else []
    return Job(str(pairing), (*arguments, *more))


def run_all(options: argparse.Namespace) -> int:
    """Run everything, print each report as it comes, and return the worst status."""
    begun = time.monotonic()
    say = print if not options.json else lambda *_args, **_options: None
    say(f"seed {options.seed}", flush=True)
    outcomes = []
    with ThreadPoolExecutor(JOBS) as pool, _runner(options) as run:
        for outcome in pool.map(run, jobs(options)):
            print(outcome.text, flush=True)
            outcomes.append(outcome)
    runs = [each.found for each in outcomes if each.found and not each.found["sabotage"]]
    if missed := report.missed_by_all(runs):
        say(f"in no pairing: {', '.join(missed)}")
    worst = worst_of(outcome.status for outcome in outcomes)
    say(f"seed {options.seed}: {VERDICTS[worst]} ({time.monotonic() - begun:.0f} s)")
    return worst


def worst_of(statuses: Iterable[int]) -> int:
    """Return the status of all: a run that has failed is worse than one that proves nothing."""
    found = set(statuses) - {EXACT}
    if not found:
        return EXACT
    return UNUSABLE if found == {UNUSABLE} else NOT_EXACT


@contextmanager
def _runner(options: argparse.Namespace) -> Iterator[Any]:
    """Give the function that runs a job; whoever leaves early ends the jobs in good order."""
    running: set[subprocess.Popen[str]] = set()
    is_over, lock = threading.Event(), threading.Lock()
    common = ["--seed", str(options.seed), "--json"]
    if options.patience:
        common += ["--patience", str(options.patience)]

    def run(job: Job) -> Outcome:
        with lock:
            if is_over.is_set():
                return Outcome(1, f"{job.name}: not run")
            process = _started((*common, *job.arguments))
            running.add(process)
        output, errors = process.communicate()
        running.discard(process)
        return outcome_of(job, process.returncode, output, errors, as_json=options.json)

    try:
        yield run
    finally:
        with lock:
            is_over.set()
            for process in list(running):
                process.terminate()


def _started(arguments: Sequence[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trackable_tests.faults", "--parent", str(os.getpid())]
    return subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,  # an interrupt from the keyboard is for this process alone
    )


def outcome_of(job: Job, status: int, output: str, errors: str, *, as_json: bool) -> Outcome:
    """Return what is to be said of a run that has ended; without a report it has failed."""
    try:
        found = json.loads(output)
    except ValueError:
        return Outcome(status or 1, f"{job.name}: ended with status {status}\n{output}{errors}")
    if as_json:
        return Outcome(status, json.dumps(found), found)
    text = report.lines(found) if status or not found["sabotage"] else []
    verdict = report.verdict_on_sabotage(found)[1:] if found["sabotage"] else ()
    if status == UNUSABLE:
        text.append(f"  {report.UNTESTED}")
    return Outcome(status, "\n".join([*verdict, *text]), found)
