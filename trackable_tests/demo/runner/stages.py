"""The stages of a run: set up, send or import, fold, compare, keep open. Needs Django set up."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from tqdm import tqdm

from trackable.messaging import process_messages
from trackable_tests.demo import content
from trackable_tests.demo.runner import access_log, database, report, traffic
from trackable_tests.demo.runner.ending import Ended
from trackable_tests.demo.runner.processes import manage
from trackable_tests.demo.runner.server import Server, serve
from trackable_tests.demo.runner.tally import Tally

FOLD_INTERVAL_SECONDS: Final = 5
SHOWN_A_DAY: Final = 25
SHOWN_A_DAY_OF_LOG: Final = 8


def run(options: argparse.Namespace, directory: Path) -> bool:
    """Run the demo in a directory of its own; tell whether every count was right."""
    with stage("Set up the database"):
        password = database.set_up()
    if options.log:
        right = replay(options.log)
        if not options.exit:
            with serve(directory, options.workers) as server:
                keep_open(server, password)
        return right
    with stage("Fill the site"):
        content.fill()
    with serve(directory, options.workers) as server:
        say(f"Site: {server.url}, {options.workers} web processes of gunicorn")
        right = visit(server, options.requests, kill=options.kill)
        if not options.exit:
            keep_open(server, password)
    return right


def visit(server: Server, number: int, *, kill: bool) -> bool:
    """Send visitors, fold, and compare."""
    targets = content.targets()
    kinds = {target: kind for kind, found in targets.items() for target in found}
    with stage(f"Send {number:,} requests from {traffic.CLIENTS} processes"):
        tally = send(server, list(kinds), number, kill=kill)
    with stage("Fold") as details:
        details += manage("fold_trackable_messages")
    counted, filtered = database.counts(), database.filtered()
    show(report.table(tally, counted, shown_a_day=SHOWN_A_DAY))
    show(report.crawlers(tally, filtered, kinds))
    errors = [*tally.errors(counted), *tally.crawler_errors(filtered, kinds), *database.failures()]
    if not kill and tally.without_answer:
        errors.append(f"{tally.without_answer:,} requests got no answer")
    lost = f", {tally.without_answer:,} of them without an answer" if kill else ""
    return conclude(errors, f"{number:,} requests{lost}")


def send(server: Server, targets: list[str], number: int, *, kill: bool) -> Tally:
    """Send visitors; with ``kill``, kill a web process when half of them have been."""
    tally, sent = Tally(), 0
    with (
        closing(traffic.send(server.port, targets, number)) as visits,
        tqdm(total=number, unit=" requests", leave=False, disable=None) as bar,
    ):
        for made in visits:
            for request in made:
                tally.add(request)
            sent += len(made)
            bar.update(len(made))
            if kill and sent >= number / 2:
                kill = False
                bar.write(f"  killed the web process {server.kill_a_worker()} with SIGKILL")
            server.check()
    return tally


def replay(path: Path) -> bool:
    """Import an access log, each of whose targets is made a page, and compare."""
    with stage(f"Read {path}"):
        log = access_log.read(path)
        content.fill_from_targets(log.targets)
    with stage(f"Import {log.lines:,} lines") as details:
        details += import_log(path)
    with stage("Fold") as details:
        details += manage("fold_trackable_messages")
    counted = database.counts()
    show(report.table(log.tally, counted, shown_a_day=SHOWN_A_DAY_OF_LOG))
    if log.unfit:
        say(f"{log.unfit:,} lines name no target or no time.")
    errors = [*log.tally.errors(counted), *database.failures()]
    return conclude(errors, f"{len(log.tally.certain):,} pairs of page and day")


def import_log(path: Path) -> list[str]:
    """Emit an increment for each line of a log, with its own time, on the page of its target."""
    target = ["--model", "demo.Page", "--field", "views"]
    pattern = ["--pattern", "^.*", "--lookup", "target", "--keep-query"]
    return manage("import_access_log", str(path.resolve()), *target, *pattern)


def conclude(errors: list[str], what: str) -> bool:
    show(report.verdict(errors, f"Every count is right: {what}."))
    return not errors


def keep_open(server: Server, password: str) -> None:
    """Show where the site is, and fold what its visitors do until the program is ended."""
    lines = [
        f"The site:  {server.url}",
        f"Its admin: {server.url}admin/   user {database.ADMIN}, password {password}",
        f"What you look at is counted within {FOLD_INTERVAL_SECONDS} s. Ctrl-C ends it.",
    ]
    with suppress(Ended):
        show(lines)
        while True:
            time.sleep(FOLD_INTERVAL_SECONDS)
            server.check()
            process_messages()


@contextmanager
def stage(what: str) -> Iterator[list[str]]:
    """Say what is done and, when it is done, how long it took, with details from the list."""
    on_terminal = sys.stdout.isatty()
    if on_terminal:
        print(f"{what} ...", end="\r", flush=True)
    start = time.monotonic()
    details: list[str] = []
    yield details
    say(f"{what}: {time.monotonic() - start:.1f} s")
    for line in details:
        say(f"  {line}")


def show(lines: list[str]) -> None:
    say("\n".join(["", *lines]))


def say(text: str) -> None:
    print(text, flush=True)
