"""Imports run one way, and bring neither models nor brokers before they are needed."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import trackable

ROOT = Path(trackable.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
CORE = [path for path in FILES if "contrib" not in path.relative_to(ROOT).parts]

#: none of these may come with ``import trackable``
LATE = ("celery", "django.apps.registry", "django.db.models", "kombu", "redis", "trackable.models")

#: nor any of these with ``django.setup()``: what only emits, ships, folds or answers a scrape needs
LATER = (
    *("celery", "kombu", "amqp", "redis", "requests", "httpx", "urllib3", "prometheus_client"),
    *("crawleruseragents", "trackable.batches", "trackable.broker", "trackable.flusher"),
    *("trackable.folding", "trackable.journal", "trackable.messaging", "trackable.tasks"),
)

#: what runs code, or trusts bytes, when it reads
UNSAFE = {"_pickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


@cache
def imports_of(path: Path) -> set[str]:
    """Return the full names of the modules, and of the names in them, that a file imports."""
    package = ["trackable", *path.relative_to(ROOT).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def wrong_imports(paths: list[Path], is_wrong: Callable[[Path, str], bool]) -> dict[str, set[str]]:
    found = {path: {name for name in imports_of(path) if is_wrong(path, name)} for path in paths}
    return {str(path.relative_to(ROOT)): names for path, names in found.items() if names}


def test_core_never_imports_contrib() -> None:
    assert wrong_imports(CORE, lambda _, name: is_within(name, "trackable.contrib")) == {}


def test_contrib_apps_never_import_one_another() -> None:
    def is_wrong(path: Path, name: str) -> bool:
        own = ".".join(["trackable", *path.relative_to(ROOT).parts[:2]])
        return name.startswith("trackable.contrib.") and not is_within(name, own)

    assert wrong_imports(sorted(set(FILES) - set(CORE)), is_wrong) == {}


def test_nothing_imports_the_tests() -> None:
    assert wrong_imports(FILES, lambda _, name: is_within(name, "trackable_tests")) == {}


def test_nothing_imports_pickle_or_its_kin() -> None:
    assert wrong_imports(FILES, lambda _, name: name.partition(".")[0] in UNSAFE) == {}


def loaded_by(code: str, names: tuple[str, ...], **env: str) -> str:
    """Return which of the modules a new process has after running the code."""
    code = f"import sys; {code}; print(*(name for name in {names!r} if name in sys.modules))"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | env)
    return run.stdout.strip() + run.stderr


@pytest.mark.parametrize("module", ["trackable", "trackable.conf"])
def test_importing_loads_no_models_and_no_broker(module: str) -> None:
    assert loaded_by(f"import {module}", LATE) == ""


def test_importing_loads_nothing_of_django() -> None:
    assert loaded_by("import trackable", ("django",)) == ""


def test_setting_up_loads_no_broker_and_no_fold() -> None:
    """A site with the admin, and with data classes and pages of its own."""
    names = (*LATER, "trackable.admin.quarantine")
    env = {"DJANGO_SETTINGS_MODULE": "trackable_tests.demo.settings"}
    assert loaded_by("import django; django.setup()", names, **env) == names[-1]


def test_data_classes_are_resolved_when_first_asked_for() -> None:
    from trackable.models import TrackableData

    assert trackable.TrackableData is TrackableData
