"""What the docs name is there: commands and their options, settings, checks, Python, files."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

from django.conf import settings
from django.core.management import get_commands, load_command_class

import trackable
from trackable import conf

DOCS = settings.BASE_DIR / "docs"
#: names that begin like ours and are not: queues, tasks, labels, files, what django-trackable had
OTHERS = re.compile(
    r"trackable\.(?:(?:blog|shop|pages|trackable)\.[a-z]+|unknown|md|token|autodiscover"
    r"|message(?:\.counting)?|views\.trackable_redirect|Damaged"
    r"|contrib\.affiliations\.deliver(?:_due)?)$"
)
#: settings that django-trackable had, and what became of them is told
OLD_SETTINGS = {"ENGINE", "LOGLEVEL", "MAGIC_FLAG", "PROCESS_NUM_MESSAGES", "STRICT_MODE"}
CHECK = re.compile(r"trackable\.[EW]\d{3}$")
#: the modules whose public names have a place in the reference, and which of their names those are
PUBLIC = {
    "trackable": None,
    "trackable.admin": None,
    "trackable.charts": None,
    "trackable.exceptions": Exception,
    "trackable.status": None,
    "trackable.testing": None,
    "trackable.uniques": None,
    "trackable.messaging": ("process_messages", "tally_filtered", "send_"),
    "trackable.metrics": ("MetricsView", "register", "view"),
    "trackable.models": ("Trackable", "Filtered", "Ledger", "Quarantined", "RolledUp", "Unique"),
    "trackable.signals": ("increment",),
}


@cache
def pages() -> dict[str, str]:
    files = [*DOCS.rglob("*.md"), settings.BASE_DIR / "README.md"]
    built = DOCS / "_build"
    return {
        str(file.relative_to(settings.BASE_DIR)): file.read_text()
        for file in files
        if built not in file.parents
    }


def found(pattern: str) -> Iterator[tuple[str, re.Match[str]]]:
    for name, text in pages().items():
        for match in re.finditer(pattern, text, re.MULTILINE):
            yield name, match


def leads_somewhere(dotted: str) -> bool:
    """Tell whether a module, or an attribute of one or of its class, has this name."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing: Any = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


def public_names(module: str) -> set[str]:
    thing, wanted = import_module(module), PUBLIC[module]
    if wanted is None:
        return set(thing.__all__)
    if isinstance(wanted, type):
        return {n for n, v in vars(thing).items() if inspect.isclass(v) and issubclass(v, wanted)}
    own = {name for name, value in vars(thing).items() if not inspect.ismodule(value)}
    return {name for name in own if name.startswith(wanted)} - {"TrackableBase", "TrackableManager"}


def test_commands_and_their_options_exist() -> None:
    commands, wrong = get_commands(), []
    line = r"manage\.py (?P<name>[a-z_]+)(?P<rest>(?:[^\n`#|]|\\\n)*)"
    for page, match in found(line):
        if match["name"] not in commands:
            wrong.append((page, match["name"]))
            continue
        command = commands[match["name"]]
        if isinstance(command, str):
            command = load_command_class(command, match["name"])
        known = command.create_parser("manage.py", match["name"])._option_string_actions
        named = re.findall(r"(?<![\w-])--[a-z][a-z-]+", match["rest"])
        wrong += [(page, match["name"], option) for option in named if option not in known]
    assert wrong == []


def test_settings_exist() -> None:
    known = {*conf.DEFAULTS, "USER_AGENT_FILTERTING", *OLD_SETTINGS}
    wrong = {
        (page, match[0])
        for page, match in found(r"\bTRACKABLE_([A-Z_]+)\b")
        if match[1] not in known and not match[1].startswith("TEST_")
    }
    assert wrong == set()


def test_dotted_names_exist() -> None:
    names = {
        match[0]: page
        for page, match in found(r"(?<![\w./@:-])trackable(?:\.[A-Za-z_]\w*)+")
        if not OTHERS.match(match[0]) and not CHECK.match(match[0])
    }
    assert {(page, name) for name, page in names.items() if not leads_somewhere(name)} == set()


def test_checks_that_are_named_are_told_of() -> None:
    told = set(
        re.findall(
            r"^\| `(trackable\.[EW]\d{3})`", pages()["docs/reference/checks.md"], re.MULTILINE
        )
    )
    assert {match[0] for _, match in found(r"\btrackable\.[EW]\d{3}\b")} == told


def test_every_public_name_is_in_the_reference() -> None:
    reference = pages()["docs/reference/python.md"]
    in_code = " ".join(re.findall(r"`([^`]+)`", reference))
    missing = {
        (module, name)
        for module in PUBLIC
        for name in public_names(module)
        if not re.search(rf"\b{name}\b", in_code)
    }
    assert missing == set()


def test_every_public_method_is_in_the_reference() -> None:
    from trackable.querysets import TrackableQuerySet

    text = pages()["docs/reference/python.md"] + pages()["docs/reference/queries.md"]
    classes: list[type] = [trackable.TrackableSite, trackable.TrackableData, TrackableQuerySet]
    methods = {
        name
        for cls in classes
        for name, value in vars(cls).items()
        if isinstance(value, FunctionType | classmethod)
        and value.__module__ == cls.__module__
        and not name.startswith("_")
    }
    assert {name for name in methods - {"check"} if f"{name}(" not in text} == set()


def test_signatures_in_the_reference_have_the_parameters_that_there_are() -> None:
    wrong = []
    for match in re.finditer(
        r"`(trackable(?:\.\w+)+)\(([^`]*)\)`", pages()["docs/reference/python.md"]
    ):
        module, _, name = match[1].rpartition(".")
        known = inspect.signature(getattr(import_module(module), name)).parameters
        named = re.findall(r"(?:^|, )\*{0,2}(\w+)", match[2])
        wrong += [(match[1], each) for each in named if each not in known]
    assert wrong == []


def test_python_can_be_read() -> None:
    wrong = []
    block = r"^(?P<fence>:::|```)(?:python|\{code-block\} python)\n(?P<code>.*?)^(?P=fence)$"
    for page, text in pages().items():
        for match in re.finditer(block, text, re.MULTILINE | re.DOTALL):
            code = re.sub(r"\A(?:[:#].*\n|\n)*", "", match["code"])
            try:
                compile(textwrap.dedent(code), page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            except SyntaxError as error:
                wrong.append((page, str(error), code[:80]))
    assert wrong == []


def test_design_lists_every_module() -> None:
    design = pages()["docs/explanation/design.md"]
    listed = set(
        re.findall(r"`(\w+)/?`", " ".join(re.findall(r"^\| (`.*?) \|", design, re.MULTILINE)))
    )
    package = Path(trackable.__file__).parent
    modules = {path.stem for path in package.glob("[a-z]*.py")}
    folders = {path.parent.name for path in package.glob("*/__init__.py")} - {"migrations"}
    assert (modules | folders) - listed == set()
    assert listed - modules - folders == set()


def test_readme_links_to_what_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", pages()["README.md"])
    assert links
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (settings.BASE_DIR / link).exists()] == []


def test_every_command_is_in_the_reference() -> None:
    text = "".join(page for name, page in pages().items() if "/reference/" in name)
    own = {name for name, app in get_commands().items() if str(app).startswith("trackable")}
    assert len(own) > 9
    assert {name for name in own if f"`{name}" not in text and f"## {name}" not in text} == set()
