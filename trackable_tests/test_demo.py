"""The demo counts what it sends, says so if it did not, and leaves nothing behind."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from trackable import spiders
from trackable_tests.demo.__main__ import ROOT
from trackable_tests.demo.runner import access_log, agents, directory, report
from trackable_tests.demo.runner.tally import Tally
from trackable_tests.demo.runner.traffic import Request
from trackable_tests.shared import is_alive
from trackable_tests.tables import for_each

# whatever database the other tests run on, the demo runs on its own
pytestmark = pytest.mark.vendor("sqlite")

PYTHON: Final = (sys.executable, "-W", "error")
MODULE: Final = ("-m", "trackable_tests.demo")
TIMEOUT_SECONDS: Final = 300
DAY: Final = "2026-11-21"
NEXT_DAY: Final = "2026-11-22"

#: runs the demo, and does something to the journal before the fold
TAMPER: Final = """
import sys
from trackable_tests.demo import __main__ as demo
from trackable_tests.demo.runner import processes

def manage(*arguments, manage=processes.manage):
    if arguments[0] == "fold_trackable_messages":
        from trackable import conf, shipping
        from trackable.journal import segments
        journal = conf.journal_dir()
        shipping.flush(journal, wait_seconds=10)
        victim = max(segments.listing(journal, segments.SEALED), key=lambda s: s.size_bytes())
        {tampering}
    return manage(*arguments)

processes.manage = manage
sys.exit(demo.main())
"""
TAMPERING: Final = {
    "a lost segment": "victim.remove()",
    "a doubled segment": (
        "(journal / (segments.new_id() + segments.SEALED)).write_bytes(victim.read())"
    ),
}

LOG: Final = r"""
9.9.9.9 - - [17/May/2015:23:30:00 +0000] "GET /a?x=1 HTTP/1.1" 200 5 "-" "Mozilla/5.0 Firefox/27.0"
9.9.9.9 - - [17/May/2015:23:30:00 -0100] "GET /a?x=1 HTTP/1.1" 200 5 "-" "Googlebot/2.1"
9.9.9.9 - - [18/May/2015:00:30:00 +0100] "HEAD /a?x=1 HTTP/1.0" 304 -
9.9.9.9 - - [18/May/2015:00:30:00 +0000] "GET /\xd0\xb0\"b HTTP/1.1" 404 5 "-" "-"
9.9.9.9 - - [18/May/2015:00:30:01 +0000] "OPTIONS * HTTP/1.0" 200 5 "-" "-"
9.9.9.9 - - [18/May/2015:00:30:02 +0000] "-" 408 0 "-" "-"
9.9.9.9 - - [18/May/2015:00:30:03 +0000] "\x16\x03\x01" 400 226 "-" "-"
this is no line of an access log
""".lstrip()


def environment(**added: str) -> dict[str, str]:
    """Return an environment without the settings of these tests."""
    foreign = ("DJANGO_", "TRACKABLE_")
    return {name: os.environ[name] for name in os.environ if not name.startswith(foreign)} | added


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTHON, *command],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def demo(base: Path, *arguments: str, program: tuple[str, ...] = MODULE) -> tuple[int, str, str]:
    """Run the demo to its end; return its status, and what it printed and complained of."""
    done = run(*program, "--exit", "--directory", str(base), *arguments)
    return done.returncode, done.stdout, done.stderr


@contextmanager
def running_demo(
    base: Path, *arguments: str, until: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the demo until it prints some text, and give the process and all that it printed."""
    command = [*PYTHON, *MODULE, "--directory", str(base), *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if until in line:
                break
        yield process, printed
    finally:
        process.kill()
        process.communicate()


def workers_in(base: Path) -> list[int]:
    """Return the pids of the web processes of the only run there."""
    (own,) = base.glob("run-*")
    return [int(path.stem) for path in own.glob("*.worker")]


def left_in(base: Path) -> list[str]:
    return [path.name for path in base.iterdir() if path.name != directory.LOCK]


# whole runs


@pytest.mark.slow
def test_every_request_is_counted_and_shown(tmp_path: Path) -> None:
    status, printed, errors = demo(tmp_path, "--requests", "300")
    assert (status, errors) == (0, ""), printed
    assert re.search(r"^\S+  /pages/tide-tables/ +(\d+) +\1$", printed, re.MULTILINE)
    assert re.search(r"^crawlers  demo.PageData +(\d+) +\1$", printed, re.MULTILINE)
    assert printed.endswith("Every count is right: 300 requests.\n")
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_web_process_that_is_killed_takes_no_count_along(tmp_path: Path) -> None:
    status, printed, errors = demo(tmp_path, "--requests", "400", "--kill")
    assert (status, errors) == (0, ""), printed
    assert re.search(r"killed the web process \d+ with SIGKILL", printed)
    lost = re.search(r"right: 400 requests, (\d+) of them without an answer", printed)
    assert lost
    assert int(lost[1]) <= 4  # one for each client


@pytest.mark.slow
@pytest.mark.parametrize("tampering", TAMPERING.values(), ids=TAMPERING)
def test_wrong_count_is_named_and_fails_the_run(tampering: str, tmp_path: Path) -> None:
    program = ("-c", TAMPER.format(tampering=tampering))
    status, printed, errors = demo(tmp_path, "--requests", "100", program=program)
    assert (status, errors) == (1, ""), printed
    assert re.search(r"^WRONG: /\S+ on \S+: sent \d+, counted \d+$", printed, re.MULTILINE)
    assert "Every count is right" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_access_log_is_counted_as_it_is_written(compressed: bool, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(gzip.compress(LOG.encode()) if compressed else LOG.encode())
    status, printed, errors = demo(tmp_path / "demo", "--log", str(log))
    assert status == 0, printed + errors
    assert "line 8 is no line of an access log" in errors
    assert re.search(r"^2015-05-17  /a\?x=1 +2 +2$", printed, re.MULTILINE)
    assert re.search(r"^2015-05-18  /a\?x=1 +1 +1$", printed, re.MULTILINE)
    assert "3 lines name no target or no time." in printed
    assert printed.endswith("Every count is right: 4 pairs of page and day.\n")


@pytest.mark.slow
def test_access_log_of_which_a_part_is_lost_fails_the_run(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(LOG)
    program = ("-c", TAMPER.format(tampering=TAMPERING["a lost segment"]))
    status, printed, errors = demo(tmp_path / "demo", "--log", str(log), program=program)
    assert status == 1, printed + errors
    assert "WRONG: /a?x=1 on 2015-05-17: sent 2, counted 0" in printed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_open_site_answers_and_ends_with_its_program(number: int, tmp_path: Path) -> None:
    with running_demo(tmp_path, "--requests", "20", until="Ctrl-C") as (process, printed):
        url = re.search(r"http://\S+/", printed)
        assert url, printed
        workers = workers_in(tmp_path)
        assert b"Harbour notes" in urllib.request.urlopen(url[0]).read()
        assert b"Password" in urllib.request.urlopen(url[0] + "admin/").read()
        process.send_signal(number)
        assert process.wait(30) == 0
    assert len(workers) == 2
    assert [pid for pid in workers if is_alive(pid)] == []
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_run_can_be_ended_amid_the_requests(tmp_path: Path) -> None:
    with running_demo(tmp_path, "--requests", "100000", until="Site:") as (process, _):
        workers = workers_in(tmp_path)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert [pid for pid in workers if is_alive(pid)] == []
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_manage_runs_the_site_too(tmp_path: Path) -> None:
    for command in (
        ("check", "--fail-level", "WARNING"),
        ("makemigrations", "--check", "--dry-run", "demo"),
        ("migrate", "--verbosity", "0"),
        ("loaddata", "harbour"),
    ):
        done = run("manage.py", *command, TRACKABLE_DEMO_DIR=str(tmp_path / "site"))
        assert (done.returncode, done.stderr) == (0, "")


# its parts


def test_runs_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    with directory.fresh(tmp_path) as first, directory.fresh(tmp_path) as second:
        assert first != second
        assert first.is_dir()
    assert left_in(tmp_path) == []


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "run-killed").mkdir()
    (tmp_path / "site").mkdir()
    with directory.fresh(tmp_path) as own:
        assert sorted(left_in(tmp_path)) == [own.name, "site"]


def tally_of(*requests: Request) -> Tally:
    tally = Tally()
    for request in requests:
        tally.add(request)
    return tally


def request_of(
    target: str = "/a", *, status: int = 200, last_day: str = DAY, is_crawler: bool = False
) -> Request:
    return Request(target, is_crawler, status, DAY, last_day)


@for_each("count", [0, 1, 3])
def test_any_other_count_than_what_was_answered_is_wrong(count: int) -> None:
    tally = tally_of(request_of(), request_of(status=302))
    assert tally.errors({("/a", DAY): 2}) == []
    assert tally.errors({("/a", DAY): count}) == [f"/a on {DAY}: sent 2, counted {count}"]


def test_count_of_what_nobody_sent_is_wrong() -> None:
    assert tally_of().errors({("/b", DAY): 1}) == [f"/b on {DAY}: sent 0, counted 1"]


@for_each("count, is_right", [(0, False), (1, True), (2, True), (3, False)])
def test_request_without_an_answer_may_be_counted_or_not(count: int, is_right: bool) -> None:
    tally = tally_of(request_of(), request_of(status=0))
    assert (not tally.errors({("/a", DAY): count})) == is_right


@for_each("counts, is_right", [((1, 0), True), ((0, 1), True), ((1, 1), False), ((0, 0), False)])
def test_request_across_midnight_counts_on_one_of_the_days(
    counts: tuple[int, int], is_right: bool
) -> None:
    tally = tally_of(request_of(last_day=NEXT_DAY))
    counted = {("/a", DAY): counts[0], ("/a", NEXT_DAY): counts[1]}
    assert (not tally.errors(counted)) == is_right


def test_crawlers_hits_are_to_be_filtered_and_not_counted() -> None:
    tally = tally_of(request_of(is_crawler=True), request_of(is_crawler=True, status=0))
    kinds = {"/a": "demo.PageData"}
    assert tally.errors({}) == []
    assert tally.crawler_errors({"demo.PageData": 2}, kinds) == []
    assert tally.crawler_errors({}, kinds) == [
        "crawlers' hits in demo.PageData: sent 1 to 2, filtered 0"
    ]


def test_other_answers_than_a_page_or_a_redirect_are_errors() -> None:
    tally = tally_of(request_of(status=500), request_of(status=500))
    assert tally.errors({}) == ["/a was answered with 500, 2 times"]


def test_table_marks_what_is_wrong_and_adds_up_the_rest() -> None:
    tally = tally_of(request_of("/a"), request_of("/a"), request_of("/b"), request_of("/c"))
    counted = {("/a", DAY): 2, ("/b", DAY): 1}
    table = report.table(tally, counted, shown_a_day=1)
    assert [line.split() for line in table[1:]] == [
        [DAY, "/a", "2", "2"],
        [DAY, "2", "more", "2", "1", "WRONG"],
        [DAY, "together", "4", "3", "WRONG"],
    ]


def test_log_is_counted_in_the_days_of_utc(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(LOG)
    log = access_log.read(path)
    assert (log.lines, log.unfit) == (8, 3)
    assert log.tally.certain == {
        ("/a?x=1", "2015-05-17"): 2,
        ("/a?x=1", "2015-05-18"): 1,
        (r"/\xd0\xb0\"b", "2015-05-18"): 1,
        ("*", "2015-05-18"): 1,
    }


@pytest.mark.django_db
def test_filter_agrees_on_who_is_a_crawler() -> None:
    assert [agent for agent in agents.PEOPLE if spiders.verdict(agent) is not None] == []
    assert [agent for agent in agents.CRAWLERS if spiders.verdict(agent) is None] == []
