"""The lab: the servers, databases and folders of a run, and the end of all of them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks import servers

SETTINGS: Final = "BENCHMARKS"
DATABASES: Final = ("postgresql", "mariadb", "sqlite")

T = TypeVar("T")


class Lab:
    """What the measures find: addresses, settings, folders, and whether there is little time."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.servers = servers.installed(folder / "servers")
        self.databases = {
            name: s.settings() for name, s in self.servers.items() if name in DATABASES
        }
        self.started: list[str] = []

    def pick(self, full: T, quick: T) -> T:
        """Return the size of a full run or of a quick one."""
        return quick if self.quick else full

    def url(self, broker: str) -> str:
        """Return the address of a broker."""
        return str(self.servers[broker].url())

    def missing(self, names: Iterable[str]) -> set[str]:
        """Return those of the servers that this machine does not have."""
        return set(names) - self.servers.keys()

    def environment(self, schema: str = "public", **settings: Any) -> dict[str, str]:
        """Return the environment of a process with settings of its own.

        Tables of PostgreSQL are looked for in the schema first.
        """
        databases = dict(self.databases)
        if "postgresql" in databases:
            options = {"options": f"-c search_path={schema},public"}
            databases["postgresql"] = {**databases["postgresql"], "OPTIONS": options}
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            SETTINGS: json.dumps({"databases": databases, "settings": settings}, default=str),
        }

    def new_folder(self) -> Path:
        """Return an empty folder, removed with the lab."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def start(self, names: Iterable[str], stack: ExitStack) -> None:
        """Start servers, all at once; the stack ends them."""
        self.started = sorted(names)
        with ThreadPoolExecutor() as pool:
            for name in self.started:
                stack.callback(self.servers[name].stop)
            list(pool.map(lambda name: self.servers[name].start(), self.started))

    def migrate(self) -> None:
        """Make the tables in the databases that were started."""
        from django.core.management import call_command

        for name in self.started:
            if name in DATABASES:
                # The site has no migrations, and its tables refer to those that have.
                for is_site in (False, True):
                    call_command("migrate", database=name, run_syncdb=is_site, verbosity=0)


@contextmanager
def opened(*, quick: bool) -> Iterator[Lab]:
    """Give a lab in which Django is set up and nothing is started; remove its folder."""
    import django

    folder = Path(tempfile.mkdtemp(prefix="trackable-benchmarks-"))
    try:
        lab = Lab(folder, quick=quick)
        os.environ.update(lab.environment(TRACKABLE_JOURNAL_DIR=str(folder / "journal")))
        django.setup()
        yield lab
    finally:
        shutil.rmtree(folder, ignore_errors=True)
