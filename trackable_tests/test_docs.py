"""The settings page says what the code does."""

import ast
import re
from collections.abc import Callable
from typing import Any

from django.conf import settings

from trackable import conf
from trackable_tests.tables import for_each

PAGE = settings.BASE_DIR / "docs" / "reference" / "settings.md"
ROW = re.compile(r"^\| `TRACKABLE_(\w+)` \| (.+?) \| (.*?) ?\| (.+) \|$", re.MULTILINE)

#: defaults that are worked out, in words
IN_WORDS = {
    "BROKER_URL": "the Celery app's broker",
    "JOURNAL_DIR": "`.trackable/journal` in `BASE_DIR`",
    "REGISTER_ADMIN_MODELS": "`DEBUG`",
    "RESEND_AFTER": "twice `TRACKABLE_COLLECTION_PERIOD`",
}


def rows() -> list[tuple[str, str, str, str]]:
    return [match.groups() for match in ROW.finditer(PAGE.read_text())]


def plain(default: Any) -> Any:
    """Return a default as its row would write it; ``dict`` stands for an empty one."""
    return default() if isinstance(default, type) else default


def test_every_setting_has_one_row_in_order() -> None:
    assert [name for name, *_ in rows()] == sorted(conf.DEFAULTS)


@for_each("name", sorted(set(conf.DEFAULTS) - set(IN_WORDS)))
def test_row_shows_the_default(name: str) -> None:
    shown = {row[0]: row[1] for row in rows()}[name]
    assert ast.literal_eval(shown.strip("`")) == plain(conf.DEFAULTS[name])


@for_each("name", IN_WORDS)
def test_default_that_is_worked_out_is_told_in_words(name: str) -> None:
    default = conf.DEFAULTS[name]
    assert default is conf.UNSET or isinstance(default, Callable)
    assert {row[0]: row[1] for row in rows()}[name] == IN_WORDS[name]


def test_every_duration_and_size_has_its_unit() -> None:
    units = {name: unit for name, _, unit, _ in rows()}
    wanted = {
        name
        for name, default in conf.DEFAULTS.items()
        if isinstance(default, int | float) and not isinstance(default, bool)
    }
    assert {name for name in wanted if not units[name]} == set()
