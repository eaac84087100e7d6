"""Children: processes of ours that get ready, wait for each other, and do their job together.

A role is a generator function: it gets ready up to its first ``yield``, which gives it what it is
told when it is to go; then it works up to the next, where it yields what it has found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from trackable_tests.faults.deaths import die_with

ROOT = Path(__file__).parent.parent
END_SECONDS = 10

Role = Callable[..., Generator[Any, Any, None]]


class Child:
    """A process with a role, that ends when its input is closed or its parent dies."""

    def __init__(self, role: Role, *arguments: Any, environment: Mapping[str, str]) -> None:
        self.name = name = f"{role.__module__}:{role.__qualname__}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.children", name, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
            text=True,
            start_new_session=True,  # an interrupt from the keyboard is for the run alone
        )

    def go(self, told: Any = None) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def wait(self) -> Any:
        """Return what it has found; after its start, ``None`` when it is ready."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the child {self.name} has ended: see its error above")
        return json.loads(line)

    def work(self, told: Any = None) -> Any:
        """Have it do its job, and return what it has found."""
        self.go(told)
        return self.wait()

    def dismiss(self) -> None:
        assert self._process.stdin
        with suppress(OSError):
            self._process.stdin.close()

    def end(self) -> None:
        self.dismiss()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


def together(team: Sequence[Child], told: Any = None) -> list[Any]:
    """Have several do their jobs at the same time, and return what each has found."""
    for child in team:
        child.go(told)
    return [child.wait() for child in team]


@contextmanager
def children(
    role: Role, arguments: Sequence[Sequence[Any]], environment: Mapping[str, str]
) -> Iterator[list[Child]]:
    """Give processes, one for each list of arguments, that are ready."""
    team: list[Child] = []
    try:
        for each in arguments:
            team.append(Child(role, *each, environment=environment))  # noqa: PERF401
        for child in team:
            child.wait()
        yield team
    finally:
        for child in team:
            child.dismiss()
        for child in team:
            child.end()


def main(name: str, arguments: str) -> None:
    die_with(os.getppid())
    import django

    django.setup()
    module, _, role = name.partition(":")
    job = getattr(import_module(module), role)(*json.loads(arguments))
    print(json.dumps(next(job)), flush=True)
    for line in sys.stdin:
        print(json.dumps(job.send(json.loads(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
