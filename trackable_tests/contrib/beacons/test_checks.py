"""System checks: settings that cannot work, and counters that do not exist, with their cures."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import checks as django_checks

from trackable.contrib.beacons import checks, conf
from trackable_tests.contrib.campaigns.models import CampaignData
from trackable_tests.tables import for_each

SOURCES = sorted(Path(checks.__file__).parent.glob("*.py"))
PAGE = django_settings.BASE_DIR / "docs" / "reference" / "beacons.md"


def found() -> list[Any]:
    return [*checks.check_beacons()]


def ids() -> list[str]:
    return [str(message.id).removeprefix("trackable_beacons.") for message in found()]


def test_sound_site_passes() -> None:
    assert found() == []


def test_django_runs_them(settings: Any) -> None:
    settings.BEACON_SYNCHRONOUS = "yes"
    messages = django_checks.run_checks(tags=["trackable_beacons"])
    assert [message.id for message in messages] == ["trackable_beacons.E002"]


def test_every_id_has_one_row_in_order_and_every_message_a_hint() -> None:
    texts = [path.read_text() for path in SOURCES]
    used = {each for text in texts for each in re.findall(r"trackable_beacons\.[EW]\d+", text)}
    rows = re.findall(r"^\| `(trackable_beacons\.\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows == sorted(used)
    for text in texts:
        assert text.count("hint=") == len(re.findall(r'\bid="trackable_beacons', text))


# settings


@for_each(
    "name, meant",
    [
        ("BEACON_SYNCHRONUS", "BEACON_SYNCHRONOUS"),
        ("BEACON_ANONYMIZE_ADDRESSES", "BEACON_ANONYMISE_ADDRESSES"),
        ("BEACON_LINK_MAXAGE", "BEACON_LINK_MAX_AGE"),
    ],
)
def test_misspelt_name_is_found(settings: Any, name: str, meant: str) -> None:
    setattr(settings, name, True)
    (message,) = found()
    assert message.id == "trackable_beacons.E001"
    assert message.hint == f"Did you mean {meant}?"


WRONG = [
    *(("BEACON_ANONYMISE_ADDRESSES", value) for value in (None, 1, "False")),
    *(("BEACON_SYNCHRONOUS", value) for value in (None, 1, "False")),
    *(("IGNORE_LOCAL_REDIRECTS", value) for value in (None, 1, "False")),
    *(("BEACON_LINK_MAX_AGE", value) for value in (0, -1, True, "60", float("nan"))),
    *(("BEACON_MAX_URL_LENGTH", value) for value in (0, -1, True, None, 2000.0, 8001)),
    *(("BEACON_BASE_URL", value) for value in (7, b"https://x", "example.com", "//x")),
    *(("BEACON_BASE_URL", f"https://{rest}") for rest in ("", "x/y", "x?y", "x#y", "a@b", "a b")),
    ("BEACON_BASE_URL", "ftp://example.com"),
]
RIGHT = [
    ("BEACON_LINK_MAX_AGE", None),
    ("BEACON_LINK_MAX_AGE", 0.5),
    ("BEACON_MAX_URL_LENGTH", 8000),
    ("BEACON_BASE_URL", None),
    ("BEACON_BASE_URL", ""),
    ("BEACON_BASE_URL", "http://127.0.0.1:8000"),
    ("BEACON_BASE_URL", "https://www.example.com/"),
]


@for_each("name, value", WRONG)
def test_value_that_cannot_work_is_found(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    messages = {message.id: message for message in found()}
    assert name in messages["trackable_beacons.E002"].msg


@for_each("name, value", RIGHT)
def test_value_that_works_passes(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    assert found() == []


def test_every_setting_has_a_rule_and_a_sound_default() -> None:
    assert sorted(checks.RULES) == sorted(conf.DEFAULTS)
    assert all(checks.RULES[name].fits(value) for name, value in conf.DEFAULTS.items())


# counting


@for_each("counts_beacons", ["clicks", {"target": "clicks"}, {"source": "clicks"}, {}, None, ""])
def test_counter_that_exists_passes(monkeypatch: pytest.MonkeyPatch, counts_beacons: Any) -> None:
    monkeypatch.setattr(CampaignData, "counts_beacons", counts_beacons)
    assert found() == []


@for_each(
    "counts_beacons, what",
    [
        ("click", "'click' is none of its counters"),
        ("object_id", "'object_id' is none of its counters"),
        ({"target": "clicks", "source": "hits"}, "'hits' is none of its counters"),
        ({"entity": "clicks"}, "'entity' is neither 'target' nor 'source'"),
        (["clicks"], r"\['clicks'\] is none of its counters"),
        ({"source": None}, "None is none of its counters"),
        (7, "7 is none of its counters"),
    ],
)
def test_counter_that_does_not_exist_is_found(
    monkeypatch: pytest.MonkeyPatch, counts_beacons: Any, what: str
) -> None:
    monkeypatch.setattr(CampaignData, "counts_beacons", counts_beacons)
    (message,) = found()
    assert (message.id, message.obj) == ("trackable_beacons.E003", CampaignData)
    assert re.search(what, message.msg)
    assert "Its counters are clicks." in message.hint


# local redirects


@pytest.fixture
def with_a_guard(settings: Any) -> str:
    path = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, path]
    return path


def test_local_redirects_without_effect_are_found(settings: Any, with_a_guard: str) -> None:
    settings.IGNORE_LOCAL_REDIRECTS = True
    (message,) = found()
    assert message.id == "trackable_beacons.W001"
    assert with_a_guard in message.msg


@pytest.mark.usefixtures("with_a_guard")
def test_guards_do_no_harm_to_a_site_that_redirects(settings: Any) -> None:
    settings.IGNORE_LOCAL_REDIRECTS = False
    assert ids() == []


def test_other_middleware_does_no_harm(settings: Any) -> None:
    settings.IGNORE_LOCAL_REDIRECTS = True
    assert ids() == []
