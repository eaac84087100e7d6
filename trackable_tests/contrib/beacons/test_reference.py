"""The reference says what the code does."""

import ast
import inspect
import re
from typing import Any

from django.conf import settings as django_settings
from django.template import engines
from django.test import override_settings

from trackable.contrib.beacons import conf, links, views
from trackable.contrib.beacons.models import IPEntity
from trackable_tests.tables import for_each

DOCS = django_settings.BASE_DIR / "docs"
PAGE = (DOCS / "reference" / "beacons.md").read_text()
ROW = re.compile(r"^\| `([A-Z_]+)` \| `(.+?)` \| (.*?) ?\| (.+) \|$", re.MULTILINE)

#: what each setting may be set to, other than its default
OTHER: dict[str, Any] = {
    "BEACON_ANONYMISE_ADDRESSES": False,
    "BEACON_BASE_URL": "https://example.com",
    "BEACON_LINK_MAX_AGE": 60,
    "BEACON_MAX_URL_LENGTH": 100,
    "BEACON_SYNCHRONOUS": True,
    "IGNORE_LOCAL_REDIRECTS": True,
}


def test_every_setting_has_one_row_in_order() -> None:
    assert [row[0] for row in ROW.findall(PAGE)] == sorted(conf.DEFAULTS)


@for_each("name", conf.DEFAULTS)
def test_row_shows_the_default(name: str) -> None:
    shown = {row[0]: row[1] for row in ROW.findall(PAGE)}[name]
    assert ast.literal_eval(shown) == conf.DEFAULTS[name]


def test_every_duration_and_size_has_its_unit() -> None:
    units = {row[0]: row[2] for row in ROW.findall(PAGE)}
    measured = {name for name in conf.DEFAULTS if "AGE" in name or "LENGTH" in name}
    assert {name: units[name] for name in measured} == {
        "BEACON_LINK_MAX_AGE": "seconds",
        "BEACON_MAX_URL_LENGTH": "characters",
    }
    assert f"At most {conf.MAX_LINK_LENGTH}." in PAGE


@for_each("name", conf.DEFAULTS)
def test_setting_is_read_when_used(name: str) -> None:
    with override_settings(**{name: OTHER[name]}):
        assert conf.get(name) == OTHER[name]
    assert conf.get(name) == conf.DEFAULTS[name]


def plain(function: Any) -> str:
    """Return a signature without its annotations."""
    signature = inspect.signature(function)
    bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


@for_each("function", [views.trigger, links.beacon_url, links.beacon_image])
def test_signatures_are_those_of_the_code(function: Any) -> None:
    module = function.__module__.rpartition(".")[2]
    assert f"`{module}.{function.__name__}{plain(function)}`" in PAGE


def test_arguments_of_the_view_have_a_row_each() -> None:
    parameters = inspect.signature(views.trigger).parameters
    for name, parameter in list(parameters.items())[1:]:
        shown = "" if parameter.default is parameter.empty else f"`{parameter.default}`"
        assert f"| `{name}` | {shown} |".replace("|  |", "| |") in PAGE


def test_tags_are_those_of_the_library() -> None:
    for name in ("beacon_url", "beacon_pixel"):
        assert f"{{% {name} target source=... entity=..." in PAGE
        assert engines["django"].from_string(f"{{% load beacons %}}{{% {name} x %}}")


def test_methods_of_entities_are_told_of() -> None:
    for name in ("beacon_snapshot", "beacon_record", "beacon_record_many", "beacon_update"):
        assert hasattr(IPEntity, name)
        assert f"`{name}" in PAGE
