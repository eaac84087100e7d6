"""The manual: its tables say what the code does, and its code works as it is printed."""

import ast
import logging
import re
import sys
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.template import Context, Template
from django.test import Client

from trackable.contrib import pixels
from trackable.contrib.pixels import Tracker, conf, images

pytestmark = pytest.mark.urls("trackable_tests.contrib.pixels.urls")

DOCS = django_settings.BASE_DIR / "docs"
HOW_TO = (DOCS / "how-to" / "pixels.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference" / "pixels.md").read_text(encoding="utf-8")
SECRET = "w7Xk-2mQ_9fRz0LbT4vYc6Ns1HpD8aGe"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)


def test_every_setting_has_its_row_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `PTRACK_(\w+)` \| (?:`(.*?)`)? ?\|", REFERENCE, re.MULTILINE))
    assert rows.pop("SECRET") == ""
    assert {name: ast.literal_eval(shown) for name, shown in rows.items()} == {
        name: default for name, default in conf.DEFAULTS.items() if name != "SECRET"
    }


def test_every_name_has_its_row() -> None:
    section = REFERENCE.split("## Names")[1].split("\n## ")[0]
    rows = set(re.findall(r"^\| `(\w+)", section, re.MULTILINE))
    assert rows - {"images", "urls"} == set(pixels.__all__)
    assert callable(images.url_of)


@pytest.fixture
def printed(own_tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the Python code of the how-to defines, when it is run from top to bottom."""
    monkeypatch.setenv("PTRACK_SECRET", SECRET)
    monkeypatch.setenv("PTRACK_FORMER_SECRET", SECRET[::-1])
    monkeypatch.setattr(pixels, "ptrack_encoder", pixels.PtrackEncoder)
    found: dict[str, Any] = {"__name__": "printed"}
    for name in ("shop", "shop.encoding"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for block in blocks("python"):
        exec(block, found)
        vars(sys.modules["shop.encoding"]).update(found)
    return found


def test_pixels_that_are_printed_register(printed: Any, own_tracker: Tracker) -> None:
    assert [*own_tracker._registry] == ["OpenPixel", "ClickPixel", "SlowPixel"]
    assert printed["ClickPixel"].is_addressed


def test_settings_that_are_printed_are_known(printed: Any) -> None:
    names = {name for name in printed if name.startswith("PTRACK_")}
    assert names <= {conf.PREFIX + name for name in conf.DEFAULTS}
    assert (printed["PTRACK_SECRET"], len(names)) == (SECRET, 5)


def test_image_that_is_printed_calls_the_pixel_that_is(
    printed: Any, client: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pixels.ptrack_encoder = pixels.PtrackEncoder
    pixels.tracker.unregister("SlowPixel")
    context = Context({"newsletter": {"pk": 5}, "recipient": {"email": "reader@example.com"}})
    settings.PTRACK_APP_URL = printed["PTRACK_APP_URL"]
    (source,) = blocks("html+django")
    url = Template(source).render(context).split('"')[1]
    assert url.startswith("https://www.example.com/ptrack/")
    client.get(url.removeprefix("https://www.example.com"))
    (record,) = caplog.records
    assert record.getMessage() == "Newsletter 5 was opened."
    assert record.levelno >= logging.WARNING  # or startproject's settings would not show it


def test_encoder_that_is_printed_is_in_force_and_works(printed: Any, client: Client) -> None:
    assert pixels.ptrack_encoder is printed["SigningEncoder"]
    data = pixels.ptrack_encoder.encrypt(1, a="é")
    assert pixels.ptrack_encoder.decrypt(data) == [[1], {"a": "é"}]
    for wrong in (data[:-1], "x", ""):
        with pytest.raises(ValueError, match="not signed here"):
            pixels.ptrack_encoder.decrypt(wrong)


def test_addresses_that_are_printed_are_below_the_prefix(printed: Any) -> None:
    assert printed["address"].startswith("/ptrack/")
    assert printed["html"].startswith('<img src="/ptrack/')


def test_secret_that_the_command_prints_is_a_good_one() -> None:
    from trackable.contrib.pixels.strength import weakness_of

    (command,) = re.findall(r'python -c "(.*token_urlsafe.*)"', HOW_TO)
    made: list[str] = []
    exec(command, {"print": made.append})
    assert conf.flaw_of(made[0]) is None
    assert weakness_of(made[0]) is None
