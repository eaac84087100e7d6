"""Fuzz for a while, guided by coverage: ``python -m trackable_tests.fuzzing``.

Each target runs in a process of its own, with bounds for its memory and the time of one input.
What it learns is kept in ``.cache/fuzz`` and begins the next run.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
CACHE: Final = ROOT / ".cache" / "fuzz"
#: how this program asks itself for a process that fuzzes one target
CHILD: Final = "--child"
DEFAULT_SECONDS: Final = 600
MEMORY_MB: Final = 512
INPUT_SECONDS: Final = 20
#: past the time of a target, for its start and the end of its last input
GRACE_SECONDS: Final = 60
MAX_INPUT_BYTES: Final = {"access_log": 70_000, "journal": 20_000, "decoder": 20_000}
#: libFuzzer's own bound
MAX_TOKEN_BYTES: Final = 64
ABSENT: Final = (
    "Coverage-guided fuzzing needs atheris, which there is for Linux:"
    " pip install --group fuzz. The tests in trackable_tests/fuzzing run without it."
)


@dataclass
class Outcome:
    """What became of one target."""

    name: str
    returncode: int
    log: str
    crashes: list[Path]

    @property
    def is_well(self) -> bool:
        return self.returncode == 0 and not self.crashes

    def line(self) -> str:
        coverage = [int(number) for number in re.findall(r" cov: (\d+)", self.log)]
        first, last = (coverage[0], coverage[-1]) if coverage else (0, 0)
        return (
            f"{self.name:<12} {self._statistic('number_of_executed_units'):>10}"
            f" {self._statistic('average_exec_per_sec'):>8} {f'{first} to {last}':>14}"
            f" {self._statistic('peak_rss_mb'):>7} MB {len(self.crashes):>8}"
            f"{'' if self.is_well or self.crashes else f'  ended with {self.returncode}'}"
        )

    def _statistic(self, name: str) -> int:
        found = re.search(rf"stat::{name}:\s+(\d+)", self.log)
        return int(found[1]) if found else 0


def main(arguments: list[str]) -> int:
    if importlib.util.find_spec("atheris") is None:
        print(ABSENT, file=sys.stderr)
        return 2
    from trackable_tests.fuzzing import child

    if arguments[:1] == [CHILD]:
        child.run(arguments[1], arguments[2:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m trackable_tests.fuzzing", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all, if none is named")
    parser.add_argument("--seconds", type=int, default=DEFAULT_SECONDS, help="for all together")
    parsed = parser.parse_args(arguments)
    child.set_up()
    return _fuzz(parsed.targets, parsed.seconds)


def _fuzz(names: list[str], seconds: int) -> int:
    from trackable_tests.fuzzing.targets import TARGETS

    if unknown := sorted(set(names) - TARGETS.keys()):
        print(f"No targets: {', '.join(unknown)}. There are {', '.join(TARGETS)}.", file=sys.stderr)
        return 2
    names = names or list(TARGETS)
    each = max(seconds // len(names), 1)
    print(f"{'target':<12} {'executions':>10} {'a second':>8} {'coverage':>14}    memory  crashes")
    outcomes = []
    for name in names:
        outcomes.append(_fuzz_one(name, each))
        print(outcomes[-1].line(), flush=True)
    for outcome in outcomes:
        _explain(outcome)
    return 0 if all(outcome.is_well for outcome in outcomes) else 1


def _fuzz_one(name: str, seconds: int) -> Outcome:
    corpus, crashes = CACHE / name, CACHE / f"{name}-crashes"
    _plant(name, corpus)
    crashes.mkdir(parents=True, exist_ok=True)
    started = time.time()
    command = [
        *_repeating(name),
        str(corpus),
        f"-dict={_dictionary()}",
        f"-artifact_prefix={crashes}/",
        f"-max_total_time={seconds}",
        f"-max_len={MAX_INPUT_BYTES.get(name, 4096)}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-print_final_stats=1",
    ]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            timeout=seconds + GRACE_SECONDS,
            check=False,
        )
        returncode, log = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        returncode, log = -1, (error.stdout or b"").decode("utf-8", "backslashreplace")
    found = [path for path in crashes.iterdir() if path.stat().st_mtime >= started]
    return Outcome(name, returncode, log, found)


def _repeating(name: str) -> list[str]:
    return [sys.executable, "-m", "trackable_tests.fuzzing", CHILD, name]


def _plant(name: str, corpus: Path) -> None:
    from trackable_tests.fuzzing.seeds import seeds

    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()[name]):
        (corpus / f"seed-{number}").write_bytes(seed)


def _dictionary() -> Path:
    from trackable_tests.fuzzing.seeds import TOKENS

    short = [token for token in TOKENS if len(token) <= MAX_TOKEN_BYTES]
    escaped = ["".join(f"\\x{byte:02x}" for byte in token) for token in short]
    path = CACHE / "dictionary"
    path.write_text("".join(f'"{token}"\n' for token in escaped))
    return path


def _explain(outcome: Outcome) -> None:
    if outcome.is_well:
        return
    print(f"\n{outcome.name}:", *outcome.log.splitlines()[-60:], sep="\n")
    for crash in outcome.crashes:
        print("Repeat it with:", *_repeating(outcome.name), crash.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
