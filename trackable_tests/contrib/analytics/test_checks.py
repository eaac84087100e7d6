"""System checks: what keeps hits from being sent is found at start, with its cure."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import checks as django_checks

from trackable.contrib.analytics import checks, conf, services
from trackable.contrib.analytics.forwarding import declared
from trackable.contrib.analytics.options import Option
from trackable_tests.tables import for_each

PAGE = django_settings.BASE_DIR / "docs" / "reference" / "analytics.md"
GA4 = {"property": "G-1", "api_secret": "x"}


def found(check: Any = checks.check_analytics) -> dict[str, Any]:
    return {str(message.id).removeprefix("trackable_analytics."): message for message in check()}


def test_sound_site_passes(settings: Any) -> None:
    assert checks.check_analytics() == []
    settings.SERVER_SIDE_TRACKING = {"defer": "celery", "timeout": (1, 2), "pageview_exclude": []}
    settings.SERVER_SIDE_TRACKING_GA = GA4
    settings.SERVER_SIDE_TRACKING_SERVICES = {
        "matomo": {"url": "https://m.example/sub", "site_id": 3, "token_auth": "a" * 32},
        "plausible": {"domain": "example.com"},
        "old": {"service": "universal", "property": "UA-1", "url": "https://c.example"},
    }
    assert checks.check_analytics() == []
    assert checks.check_deployment() == []


def test_django_runs_them(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"defre": None}
    run = django_checks.run_checks(tags=["trackable_analytics"])
    assert {message.id for message in run} == {"trackable_analytics.E001"}
    run = django_checks.run_checks(tags=["trackable_analytics"], include_deployment_checks=True)
    assert {message.id for message in run} == {
        "trackable_analytics.E001",
        "trackable_analytics.W002",
    }


def test_every_id_has_one_row_in_order_and_every_message_a_hint() -> None:
    text = "".join(Path(each.__file__).read_text() for each in (checks, declared))
    used = set(re.findall(r"trackable_analytics\.[EW]\d+", text))
    rows = re.findall(r"^\| `(trackable_analytics\.\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows == sorted(used)
    assert text.count("hint=") == len(re.findall(r"\bid=", text))


# names


def test_setting_that_nobody_reads_is_found(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING_SERVICE = {}
    assert "SERVER_SIDE_TRACKING_SERVICES?" in found()["E001"].hint


@for_each(
    "name, value, hint",
    [
        ("SERVER_SIDE_TRACKING", {"pageview_exlude": ()}, "Did you mean 'pageview_exclude'?"),
        ("SERVER_SIDE_TRACKING_GA", {**GA4, "ping_categry": "x"}, None),
        ("SERVER_SIDE_TRACKING_GA", {**GA4, "is_36": True}, "Did you mean 'is_360'?"),
        (
            "SERVER_SIDE_TRACKING_SERVICES",
            {"plausible": {"domain": "a", "urls": "b"}},
            "Did you mean 'url'?",
        ),
    ],
)
def test_key_that_nobody_reads_is_found(
    settings: Any, name: str, value: Any, hint: str | None
) -> None:
    setattr(settings, name, value)
    messages = found()
    assert set(messages) == {"E001"}
    assert hint is None or messages["E001"].hint == hint


# values


WRONG: list[tuple[str, Any]] = [
    *(("debug", value) for value in (None, 1, "yes")),
    *(("defer", value) for value in ("threading", "thread", True, 0, [])),
    *(("send_method", value) for value in ("get", "PUT", None)),
    *(("timeout", value) for value in (0, -1, True, "10", (1, 2, 3), (1, 0), 601, float("nan"))),
    *(("at_once_timeout", value) for value in (0, 61, None)),
    *(("threads", value) for value in (0, 33, 1.5)),
    *(("queue_max_hits", value) for value in (0, None, True)),
    *(("queue_max_bytes", value) for value in (0, 1024)),
    *(("retries", value) for value in (-1, 21)),
    *(("get_max_bytes", value) for value in (0, 8001)),
    *(("proxy", value) for value in (7, [], "", "proxy:3128", "socks5://p.example", "http://")),
    *(("cookie_name", value) for value in ("", "a b", "a;b", "ä", "a=b", "a\n", None)),
    *(("own_cookie_name", value) for value in ("", "a,b")),
    *(("pageview_exclude", value) for value in ("admin/", [7], None)),
    *(("pageview_exclude_statuses", value) for value in ((True,), "404")),
    *(("cookie_max_age", value) for value in (0, "1", None)),
    *(("cookie_status_refused", value) for value in (None, True, 0.5)),
    *(("anonymize_ip", value) for value in (0, "yes", None)),
]


@for_each("key, value", WRONG)
def test_value_that_cannot_work_is_found(settings: Any, key: str, value: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {key: value}
    messages = found()
    assert set(messages) == {"E002"}
    assert f"SERVER_SIDE_TRACKING['{key}'] is " in messages["E002"].msg


@pytest.mark.parametrize(
    "given",
    [
        {"cookie_name": "cookie_status"},
        {"cookie_name": "its_me"},
        {"cookie_name": "sessionid"},
        {"cookie_status": "csrftoken"},
        {"cookie_action": "a", "own_cookie_name": "a"},
        {"cookie_status_refused": 1},
        {"cookie_status_refused": "1"},
    ],
)
def test_values_that_would_be_taken_for_each_other_are_found(settings: Any, given: Any) -> None:
    settings.SERVER_SIDE_TRACKING = given
    messages = found()
    assert set(messages) == {"E002"}
    assert messages["E002"].msg.endswith(" are the same.")


@for_each("path", ["", "x", "no.such.Extractor", f"{__name__}.Nobody"])
def test_title_extractor_that_cannot_be_imported_is_found(settings: Any, path: str) -> None:
    settings.SERVER_SIDE_TRACKING = {"django_title_extractors": [path]}
    assert "django_title_extractors" in found()["E002"].msg


def test_pings_need_no_service_of_googles(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING_GA = {"ping_category": "Screen"}
    settings.SERVER_SIDE_TRACKING_SERVICES = {"plausible": {"domain": "example.com"}}
    assert checks.check_analytics() == []
    assert [service.alias for service in services.in_force()] == ["plausible"]
    assert conf.google("ping_category") == "Screen"
    settings.SERVER_SIDE_TRACKING_GA = {"ping_category": 7}
    assert set(found()) == {"E002"}


@for_each("name", checks.SETTINGS)
@for_each("value", [None, [], "x"])
def test_setting_that_is_no_dictionary_is_found(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    assert set(found()) == {"E002"}
    assert services.in_force() == ()


@for_each(
    "alias, options, ids",
    [
        ("ga4", {"measurement_id": "G-1"}, {"E003"}),
        ("ga4", {"measurement_id": "G 1", "api_secret": "x"}, {"E002"}),
        ("ga4", {"measurement_id": "G-1", "api_secret": ""}, {"E002"}),
        (
            "ga4",
            {"measurement_id": "G-1", "api_secret": "x", "consent": {"all": "GRANTED"}},
            {"E002"},
        ),
        ("matomo", {"site_id": 1}, {"E003"}),
        ("matomo", {"site_id": "1", "url": "https://m.example"}, {"E002"}),
        ("matomo", {"site_id": 1, "url": "https://m.example/?a=1"}, {"E002"}),
        ("matomo", {"site_id": 1, "url": "https://u:p@m.example"}, {"E002"}),
        ("matomo", {"site_id": 1, "url": "https://m.example", "dimensions": {"a": 0}}, {"E002"}),
        ("plausible", {}, {"E003"}),
        ("plausible", 7, {"E003"}),
        ("universal", {"property": "UA-1", "url": "http://[x"}, {"E002"}),
        ("none", {}, {"E004"}),
        ("x", {"service": "trackable.contrib.analytics.hits.Hit"}, {"E004"}),
    ],
)
def test_service_that_cannot_work_is_found(
    settings: Any, alias: str, options: Any, ids: set[str]
) -> None:
    settings.SERVER_SIDE_TRACKING_SERVICES = {alias: options}
    assert set(found()) == ids


def test_two_services_of_one_name_are_found(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING_GA = GA4
    settings.SERVER_SIDE_TRACKING_SERVICES = {"google": {"service": "plausible", "domain": "a"}}
    assert set(found()) == {"E007"}
    assert [service.name for service in services.in_force()] == ["plausible"]


def test_property_is_missed(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING_GA = {"ssl": True}
    assert "E003" in found()
    assert "'property'" in found()["E003"].msg


def test_secrets_are_not_shown(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"proxy": ["hush"]}
    settings.SERVER_SIDE_TRACKING_SERVICES = {
        "ga4": {"measurement_id": "G-1", "api_secret": "hush hush"},
        "matomo": {"url": "https://m.example", "site_id": 1, "token_auth": "hush hush"},
    }
    messages = checks.check_analytics()
    assert len(messages) == 3
    assert "hush" not in str(messages)


# libraries, and deployment


@pytest.mark.parametrize(("name", "check_id"), [("urllib3", "E005"), ("celery", "E006")])
def test_library_that_is_missing_is_found(
    settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, check_id: str
) -> None:
    settings.SERVER_SIDE_TRACKING_GA = GA4
    settings.SERVER_SIDE_TRACKING = {"defer": "celery"}
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == name else find(n))
    assert set(found()) == {check_id}


def test_googles_own_collector_of_the_old_protocol_is_warned_of(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING_GA = {"property": "UA-1-2"}
    assert set(found()) == {"W001"}


@for_each(
    "tracking, google, ids",
    [
        ({}, {}, {"W002"}),
        ({"defer": None}, GA4, {"W003"}),
        ({"debug": True}, GA4, {"W004"}),
        ({}, {**GA4, "url": "http://g.example"}, {"W005"}),
        ({}, {**GA4, "url": "http://127.0.0.1:8000"}, set()),
    ],
)
def test_what_is_well_in_development_alone_is_warned_of(
    settings: Any, tracking: Any, google: Any, ids: set[str]
) -> None:
    settings.SERVER_SIDE_TRACKING, settings.SERVER_SIDE_TRACKING_GA = tracking, google
    assert set(found(checks.check_deployment)) == ids
    assert not ids & set(found())


# the page


ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.*?) ?\| (.+) \|$", re.MULTILINE)
IN_WORDS = {
    "cookie_path": "`SESSION_COOKIE_PATH`",
    "cookie_salt": "`SECRET_KEY`",
    "debug": "`DEBUG`",
}


def rows_below(heading: str) -> dict[str, str]:
    """Return the keys and defaults of the table below a heading of the page."""
    part = PAGE.read_text().split(f"\n### {heading}\n")[1].split("\n##")[0]
    return {match[1]: match[2] for match in ROW.finditer(part)}


@for_each(
    "heading, options",
    [
        ("SERVER_SIDE_TRACKING", conf.OPTIONS),
        ("SERVER_SIDE_TRACKING_GA", conf.GOOGLE_OPTIONS),
        *((name, services.class_of(name).options) for name in services.BUILT_IN),
    ],
)
def test_page_shows_every_key_and_its_default(heading: str, options: dict[str, Option]) -> None:
    rows = rows_below(heading)
    assert list(rows) == list(options)
    for key, option in options.items():
        if key in IN_WORDS:
            assert rows[key] == IN_WORDS[key]
        elif option.is_required:
            assert rows[key] == "required"
        else:
            assert ast.literal_eval(rows[key].strip("`")) == option.default
