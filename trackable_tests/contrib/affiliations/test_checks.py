"""System checks of affiliations: each tells what is wrong, and the cure."""

import importlib.util
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks

from trackable.contrib.affiliations import checks, conf
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import OWN, REGISTERED, SESSION
from trackable_tests.tables import for_each


def messages(app_configs: Any = None) -> list[CheckMessage]:
    return checks.check_affiliations(app_configs=app_configs)


def ids() -> list[str | None]:
    return [message.id for message in messages()]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = pages.MIDDLEWARE


def test_all_is_well_as_the_manual_has_it(settings: Any) -> None:
    settings.AFFILIATE_TRIGGERS = [REGISTERED, ("Called us",)]
    assert messages() == []


def test_all_is_well_without_any_setting(settings: Any) -> None:
    settings.MIDDLEWARE = []
    assert messages() == []


def test_django_runs_the_checks(settings: Any) -> None:
    settings.AFFILIATE_TRIGGER = []
    found = run_checks(tags=[checks.TAG])
    assert [message.id for message in found] == ["trackable_affiliations.E001"]
    assert found[0].hint == "Did you mean AFFILIATE_TRIGGERS?"


def test_every_setting_has_a_rule_that_its_default_fits() -> None:
    assert {*checks.RULES} == {conf.PREFIX + name for name in conf.DEFAULTS}
    for name, default in conf.DEFAULTS.items():
        assert checks.RULES[conf.PREFIX + name].fits(default)


@for_each(
    "name, value",
    [
        ("ATTRIBUTION", "both"),
        ("ATTRIBUTION", ["last"]),
        ("ATTRIBUTION_WINDOW", 0),
        ("ATTRIBUTION_WINDOW", "30 days"),
        ("ATTRIBUTION_WINDOW", float("inf")),
        ("CALLBACK_ALLOW_PRIVATE", "no"),
        ("CALLBACK_ATTEMPTS", 0),
        ("CALLBACK_ATTEMPTS", 1.5),
        ("CALLBACK_TIMEOUT", None),
        ("DELIVERY_PERIOD", -1),
        ("QUERY_STRING_KEY", ""),
        ("QUERY_STRING_KEY", b"x"),
        ("SESSION_KEY", "a\n"),
        ("SESSION_KEY", None),
        ("TRIGGERS", None),
        ("TRIGGERS", {REGISTERED}),
        ("TRIGGERS", "User registered"),
        ("VISITORS_PER_MINUTE", 0),
        ("VISITORS_PER_MINUTE", True),
    ],
)
def test_value_that_cannot_work_is_found(settings: Any, name: str, value: Any) -> None:
    setattr(settings, f"AFFILIATE_{name}", value)
    (message,) = messages()
    assert message.id == "trackable_affiliations.E002"
    assert message.msg.startswith(f"AFFILIATE_{name} is ")
    assert message.hint.startswith("It must be ")


@for_each(
    "name, value",
    [
        ("ATTRIBUTION", "first"),
        ("ATTRIBUTION_WINDOW", None),
        ("ATTRIBUTION_WINDOW", 0.5),
        ("QUERY_STRING_KEY", "partnér id"),
        ("TRIGGERS", []),
        ("VISITORS_PER_MINUTE", None),
    ],
)
def test_value_that_can_work_is_passed_over(settings: Any, name: str, value: Any) -> None:
    setattr(settings, f"AFFILIATE_{name}", value)
    assert messages() == []


def test_trigger_that_is_wrong_is_told_of_by_its_name(settings: Any) -> None:
    wrong = ("Ordered", *REGISTERED[1:3], "shop.models.Order")
    settings.AFFILIATE_TRIGGERS = [REGISTERED, wrong, None]
    first, second = messages()
    assert {first.id, second.id} == {"trackable_affiliations.E003"}
    assert first.msg == (
        "The trigger 'Ordered' in AFFILIATE_TRIGGERS is not connected: 'shop.models.Order' cannot"
        " be imported (No module named 'shop')."
    )
    assert "The trigger None in" in second.msg


@for_each(
    "one, other",
    [
        ("Called", "called "),
        ("Ausgefüllt", "ausgefullt"),
        ("Re\u0301pondu", "r\u00e9pondu"),
        ("Ä", "a"),
    ],
)
def test_names_that_a_database_takes_for_one_are_found(settings: Any, one: str, other: str) -> None:
    settings.AFFILIATE_TRIGGERS = [(one,), (other,), REGISTERED, REGISTERED]
    (message,) = messages()
    assert message.id == "trackable_affiliations.E004"
    assert f"{one!r} and {other!r}" in message.msg


@for_each("middleware", [[OWN], [OWN, SESSION], ["no.such.Thing", OWN]])
def test_middleware_without_a_session_is_found(settings: Any, middleware: list[str]) -> None:
    settings.MIDDLEWARE = middleware
    (message,) = messages()
    assert message.id == "trackable_affiliations.E005"
    assert message.hint == f"Put {SESSION} above {OWN}."


def test_subclasses_of_the_middleware_are_as_good(settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.OwnSessions", f"{__name__}.OwnVisitors"]
    settings.AFFILIATE_TRIGGERS = [REGISTERED]
    assert messages() == []


class OwnSessions(checks.SessionMiddleware): ...


class OwnVisitors(checks.AffiliateVisitorsRegistrationMiddleware): ...


def test_triggers_that_find_no_visitor_are_found(settings: Any) -> None:
    settings.MIDDLEWARE, settings.AFFILIATE_TRIGGERS = [SESSION], [REGISTERED]
    assert ids() == ["trackable_affiliations.W001"]


def test_library_that_is_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert ids() == ["trackable_affiliations.E006"]


def test_models_in_several_databases_are_found(settings: Any) -> None:
    settings.TEST_DATABASE_OF = {"trackable_affiliations.Callback": "other"}
    (message,) = messages()
    assert message.id == "trackable_affiliations.E007"
    assert "default, other" in message.msg


def test_path_of_the_middleware_is_the_one_of_the_manual() -> None:
    assert checks.MIDDLEWARE == OWN
