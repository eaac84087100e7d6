"""The manual: its tables say what the code does, and its code works as it is printed."""

import ast
import inspect
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import get_commands
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from trackable.contrib.affiliations import checks, conf, current, erasure, triggers, visitors
from trackable.contrib.affiliations.models import Callback, Partner, Subscription, Visitor
from trackable.testing import capture
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import make_partner
from trackable_tests.tables import for_each

DOCS = django_settings.BASE_DIR / "docs"
HOW_TO = (DOCS / "how-to" / "affiliations.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference" / "affiliations.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.django_db


def block(part: str) -> str:
    (found,) = [code for code in PYTHON if part in code]
    return found


def printed(part: str, **names: Any) -> dict[str, Any]:
    """Return what the code of a block defines when it is run."""
    names |= {"__name__": "printed"}
    exec(block(part), names)
    return names


def section(title: str) -> str:
    return REFERENCE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


# the reference


def test_every_setting_has_its_row_with_its_default() -> None:
    rows = re.findall(r"^\| `AFFILIATE_(\w+)` \| `(.*?)` \|", section("Settings"), re.MULTILINE)
    assert [name for name, _ in rows] == sorted(conf.DEFAULTS)
    assert {name: ast.literal_eval(shown) for name, shown in rows} == conf.DEFAULTS


def test_every_number_has_its_unit() -> None:
    rows = dict(
        re.findall(r"^\| `AFFILIATE_(\w+)` \| .*? \| (.*?) ?\|", section("Settings"), re.MULTILINE)
    )
    numbers = {name for name, value in conf.DEFAULTS.items() if type(value) in (int, float)}
    assert {name for name, unit in rows.items() if unit} == numbers


def test_limits_that_are_told_are_those_of_the_code() -> None:
    assert f"of {conf.MAX_TRIGGER_LENGTH} characters at most" in section("Settings")
    assert f"of {visitors.MAX_ENTRY_POINT_LENGTH} characters at most" in section("Models")
    bound = f"no more than {conf.DEFAULTS['VISITORS_PER_MINUTE']} visitors"
    assert bound in HOW_TO.replace("\n", " ")


def test_every_check_has_its_row() -> None:
    source = inspect.getsource(checks)
    ids = set(re.findall(r"trackable_affiliations\.[EW]\d+", source))
    assert set(re.findall(r"^\| `(.+?)`", section("Checks"), re.MULTILINE)) == ids


def test_every_model_has_its_row_with_its_fields() -> None:
    rows = dict(re.findall(r"^\| `models\.(\w+)` \| (.*) \|$", section("Models"), re.MULTILINE))
    models = {model.__name__: model for model in apps.get_app_config(checks.TAG).get_models()}
    assert rows.keys() == models.keys()
    for name, model in models.items():
        fields = {each.name for each in model._meta.fields} - {"id", "parent", "collected_during"}
        assert {field for field in fields if f"`{field}`" not in rows[name]} == set()


@for_each(
    "function",
    [
        triggers.object_created,
        triggers.object_saved,
        triggers.complete_trigger,
        erasure.erase_visitor,
    ],
)
def test_signatures_are_those_of_the_code(function: Any) -> None:
    signature = inspect.signature(function)
    bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    plain = signature.replace(parameters=bare, return_annotation=signature.empty)
    module = function.__module__.rpartition(".")[2]
    assert f"`{module}.{function.__name__}{plain}`" in section("Names")


def test_commands_that_are_told_of_are_there() -> None:
    told = set(re.findall(r"^\| `(\w+)", section("Commands"), re.MULTILINE))
    own = {name for name, app in get_commands().items() if app == "trackable.contrib.affiliations"}
    assert told == own


# the how-to


@for_each("code", PYTHON)
def test_code_can_be_read(code: str) -> None:
    assert ast.parse(code).body


def test_settings_that_are_printed_are_right(settings: Any) -> None:
    shown = printed("INSTALLED_APPS = [")
    assert {*shown["INSTALLED_APPS"]} <= {*django_settings.INSTALLED_APPS}
    settings.MIDDLEWARE = shown["MIDDLEWARE"]
    for part in ('User registered",\n        "dj', '("Called back",)', "AFFILIATE_ATTRIBUTION ="):
        for name, value in printed(part).items():
            if name.startswith("AFFILIATE_"):
                setattr(settings, name, value)
                assert checks.check_affiliations() == []


def test_partner_that_is_printed_can_be_called(settings: Any) -> None:
    shown = printed('name="Harbour"')
    assert shown["link"] == f"https://www.example.com/?affiliate_id={shown['partner'].uid}"
    Subscription.objects.get().validate_callback_url()


def test_receiver_and_view_that_are_printed_complete() -> None:
    names = printed("def order_shipped")
    request: Any = RequestFactory().get("/")
    visitor = Visitor.objects.create(partner=make_partner(("Shipped",), ("Called back",)))
    request.affiliate_visitor, request.session = visitor, {}
    with current.serving(request):
        for total in (49, 50):
            order = SimpleNamespace(total=total)
            names["order_shipped"](None, order, affiliate_trigger_name="Shipped")
    exec(block("def call_me_back"), names)
    names["call_me_back"](request)
    told = Callback.objects.order_by("pk").values_list("trigger", flat=True)
    assert [*told] == ["Shipped", "Called back"]


def test_view_that_is_printed_greets() -> None:
    welcome = printed("def welcome")["welcome"]
    visitor = Visitor(partner=Partner(name="Harbour"))
    assert welcome(SimpleNamespace(affiliate_visitor=None)) == "Hello"
    assert welcome(SimpleNamespace(affiliate_visitor=visitor)) == "Hello from Harbour"


def test_removal_that_is_printed_spares_who_succeeded_and_who_may() -> None:
    partner, old = make_partner(), timezone.now() - timedelta(days=31)
    for values in ({}, {"referred_on": old}, {"referred_on": old, "successful_on": old}):
        Visitor.objects.create(partner=partner, **values)
    printed("successful_on=None, referred_on__lt")
    assert Visitor.objects.count() == 2
    assert Visitor.objects.filter(referred_on=old).get().successful_on


def test_totals_that_are_printed_add_up() -> None:
    partner = make_partner()
    for day in (1, 2):
        partner.data.create(collected_during=f"2026-01-0{day}", referrals=day, conversions=1)
    totals = printed("aggregate", partner=partner)["totals"]
    assert totals == {"referrals__sum": 3, "conversions__sum": 2}


# the move

OLD_TABLES = [
    """CREATE TABLE affiliations_partner (id integer PRIMARY KEY, uid varchar(8) NOT NULL,
    name varchar(250) NOT NULL, active {boolean} NOT NULL)""",
    """CREATE TABLE affiliations_subscription (id integer PRIMARY KEY, {trigger} varchar(100)
    NOT NULL, callback_url varchar(200) NOT NULL, partner_id integer NOT NULL)""",
    """CREATE TABLE affiliations_visitor (id integer PRIMARY KEY, referred_on {time} NOT NULL,
    entry_point varchar(200) NOT NULL, successful_on {time} NULL, partner_id integer NOT NULL,
    user_id integer NOT NULL)""",
]


@pytest.fixture
def old_tables(transactional_db: None) -> Any:
    """The tables of django-affiliate-tracking, as its migration makes them, with two partners."""
    user = User.objects.create_user("visitor")
    field = Visitor._meta.get_field("referred_on")
    types = {
        "boolean": Partner._meta.get_field("active").db_type(connection),
        "time": field.db_type(connection),
        "trigger": connection.ops.quote_name("trigger"),
    }
    moment = field.get_db_prep_value(timezone.now() - timedelta(days=3), connection)
    url = "https://partner.example/{visitor_id}"
    rows: dict[str, list[list[Any]]] = {
        "partner": [[7, "abcdEFGH", "Harbour", True], [9, "12345678", "Lighthouse", False]],
        "subscription": [[1, "x", url, 7], [2, "x", f"{url}/2", 7], [3, "y", url, 9]],
        "visitor": [[5, moment, "/a/?b=1", None, 7, user.pk], [6, moment, "/", moment, 7, user.pk]],
    }
    with connection.cursor() as cursor:
        for statement in OLD_TABLES:
            cursor.execute(statement.format(**types))
        for name, values in rows.items():
            places = ", ".join(["%s"] * len(values[0]))
            cursor.executemany(f"INSERT INTO affiliations_{name} VALUES ({places})", values)
        yield
        for name in rows:
            cursor.execute(f"DROP TABLE affiliations_{name}")


def copied() -> None:
    """Run the migration that is printed."""
    names = printed("def copy(")
    (operation,) = names["Migration"].operations
    with connection.schema_editor() as editor:
        operation.code(apps, editor)
    assert names["Migration"].dependencies[1] == ("trackable_affiliations", "0001_initial")


def test_move_keeps_numbers_uids_and_what_happened(old_tables: None) -> None:
    copied()
    partners = Partner.objects.order_by("pk")
    assert [(p.pk, p.uid, p.active) for p in partners] == [
        (7, "abcdEFGH", True),
        (9, "12345678", False),
    ]
    assert {len(partner.secret) for partner in partners} == {43}
    kept = Subscription.objects.order_by("pk").values_list("pk", "partner", "trigger")
    assert [*kept] == [(1, 7, "x"), (3, 9, "y")]
    waiting, done = Visitor.objects.order_by("pk")
    assert (waiting.pk, waiting.entry_point, waiting.user.username) == (5, "/a/?b=1", "visitor")
    assert (waiting.successful_on, done.successful_on) == (None, done.referred_on)
    assert Visitor.objects.create(partner=partners[0]).pk > 6
    assert make_partner().pk > 9


def test_what_happened_before_the_move_is_counted(old_tables: None) -> None:
    copied()
    with capture() as outbox:
        printed("def count(")
    partner = Partner.objects.get(pk=7)
    day = timezone.localdate(Visitor.objects.first().referred_on)
    assert {increment.collected_during for increment in outbox} == {day}
    assert (outbox.total(partner, "referrals"), outbox.total(partner, "conversions")) == (2, 1)


def test_what_happened_before_is_counted_without_time_zone_support(settings: Any) -> None:
    settings.USE_TZ = False
    partner = make_partner()
    moment = timezone.now() - timedelta(days=3)
    Visitor.objects.create(partner=partner, referred_on=moment, successful_on=moment)
    with capture() as outbox:
        printed("def count(")
    assert (outbox.total(partner, "referrals"), outbox.total(partner, "conversions")) == (1, 1)
    assert {increment.collected_during for increment in outbox} == {moment.date()}


def test_paths_of_the_move_are_there() -> None:
    table = HOW_TO.partition("## Move from django-affiliate-tracking")[2].partition("\n\nThe")[0]
    paths = re.findall(r'"(trackable\.contrib\.affiliations\.\w+\.\w+)"', table)
    assert {*paths} == {pages.OWN, pages.OBJECT_CREATED, pages.OBJECT_SAVED}
    assert "affiliate_visitors" in {each.name for each in User._meta.related_objects}
