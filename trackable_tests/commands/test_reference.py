"""The reference has every command with every option of its own."""

import re
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand

from trackable.management import commands
from trackable_tests.tables import for_each

PAGE = settings.BASE_DIR / "docs" / "reference" / "commands.md"
NAMES = sorted(path.stem for path in Path(commands.__path__[0]).glob("[a-z]*.py"))


def section(name: str) -> str:
    return PAGE.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def options(command: BaseCommand) -> set[str]:
    parser = command.create_parser("manage.py", "x")
    found = {flag for action in parser._actions for flag in action.option_strings}
    return {flag for flag in found if flag.startswith("--")}


@for_each("name", NAMES)
def test_every_option_has_its_row(name: str) -> None:
    command = import_module(f"{commands.__name__}.{name}").Command()
    rows = set(re.findall(r"^\| `(--[a-z-]+)", section(name), re.MULTILINE))
    assert rows == options(command) - options(BaseCommand())


def test_every_command_has_its_section() -> None:
    found = re.findall(r"^## (\w+)$", PAGE.read_text(), re.MULTILINE)
    assert sorted(found) == NAMES
    assert found[0] == "fold_trackable_messages"
