"""System checks: what is wrong is found at start, under an id, with its cure."""

import os
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.contenttypes.models import ContentType
from django.core import checks as django_checks
from django.db import connections, models
from django.db.backends.base.features import BaseDatabaseFeatures
from django.test.utils import isolate_apps

import trackable
from trackable import TrackableData, TrackableSite, TrackableTimeSeriesData, checks, conf
from trackable.checks import databases, journal
from trackable.checks.registry import key_of
from trackable.checks.settings import RULES
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageParentData,
    PageTotals,
    Unregistered,
    Visit,
)

SOURCES = sorted(Path(checks.__file__).parent.glob("*.py"))
PAGE = django_settings.BASE_DIR / "docs" / "reference" / "checks.md"


def ids(messages: list[Any]) -> list[str]:
    return [message.id.removeprefix("trackable.") for message in messages]


@pytest.mark.django_db(databases="__all__")
def test_project_of_the_tests_is_sound() -> None:
    assert django_checks.run_checks(tags=["trackable"]) == []
    assert [m for m in django_checks.run_checks() if str(m.id).startswith("trackable.")] == []


# documentation


def test_every_id_has_one_row_in_order() -> None:
    used = {
        found for path in SOURCES for found in re.findall(r"trackable\.[EW]\d+", path.read_text())
    }
    rows = re.findall(r"^\| `(trackable\.\w+)` \| .+ \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == sorted(used)


def test_every_message_has_a_hint() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert text.count("hint=") == len(re.findall(r'\bid=("trackable\.|error_id)', text))


# data classes


@pytest.fixture(autouse=True)
def _isolated(request: pytest.FixtureRequest) -> Iterator[None]:
    if "declare" in request.fixturenames:
        with isolate_apps("trackable_tests.testapp"):
            yield
    else:
        yield


@pytest.fixture
def declare() -> Callable[..., Any]:
    """Declare a data class by its body, which has a counter unless ``views`` is ``None``."""
    numbers = count()

    def make(base: Any = TrackableData, **body: Any) -> Any:
        meta = type("Meta", (), {"app_label": "testapp", **body.pop("meta", {})})
        body = {"views": models.PositiveIntegerField(default=0), **body}
        body = {name: value for name, value in body.items() if value is not None}
        return type(TrackableData)(
            f"Declared{next(numbers)}", (base,), {"__module__": __name__, "Meta": meta, **body}
        )

    return make


def found_in(data_cls: Any) -> list[str]:
    return ids(checks.check_data_class(data_cls))


@for_each("data_cls", [model for model in apps.get_models() if issubclass(model, TrackableData)])
def test_sound_data_classes_pass(data_cls: Any) -> None:
    assert found_in(data_cls) == []


def test_class_without_counters_is_found(declare: Any) -> None:
    assert found_in(declare(views=None)) == ["E001"]
    assert found_in(declare(views=None, note=models.TextField(default=""))) == ["E001"]


@for_each("period", ["fortnight", "Day", "minute", 7])
def test_unknown_period_is_found(declare: Any, period: Any) -> None:
    assert found_in(declare(TrackableTimeSeriesData, period=period)) == ["E002"]


def test_time_series_without_a_period_is_found(declare: Any) -> None:
    data_cls = declare(TrackableTimeSeriesData)
    data_cls.period = None
    assert found_in(data_cls) == ["E002"]


def test_period_without_a_time_series_is_found(declare: Any) -> None:
    data_cls = declare()
    data_cls.period = "day"
    assert found_in(data_cls) == ["E002"]


@for_each("period", ["hour", "day", "week", "month", "year"])
def test_each_period_passes(declare: Any, period: str) -> None:
    assert found_in(declare(TrackableTimeSeriesData, period=period)) == []


@for_each(
    "period, field",
    [("hour", models.DateField()), ("day", models.DateTimeField()), ("day", models.TextField())],
)
def test_field_that_cannot_hold_the_period_is_found(declare: Any, period: str, field: Any) -> None:
    data_cls = declare(TrackableTimeSeriesData, period=period, collected_during=field)
    assert found_in(data_cls) == ["E007"]


def test_period_of_a_plain_mixin_is_found(declare: Any) -> None:
    data_cls = declare(
        type(
            "Base",
            (TrackableTimeSeriesData,),
            {
                "__module__": __name__,
                "Meta": type("Meta", (), {"abstract": True}),
            },
        )
    )
    data_cls.period = "hour"
    assert found_in(data_cls) == ["E007"]


@pytest.mark.parametrize("name", ["note", "viewz"])
def test_counter_that_is_listed_and_not_numeric_is_found(declare: Any, name: str) -> None:
    data_cls = declare(counters=("views", name), note=models.TextField(default=""))
    assert found_in(data_cls) == ["E003"]


@for_each(
    "field",
    [
        models.DurationField(),
        models.DateField(),
        models.DateField(blank=True),
        models.JSONField(),
        models.BooleanField(),
        models.ForeignKey(Page, models.CASCADE, related_name="+"),
    ],
)
def test_field_that_a_fold_could_not_fill_is_found(declare: Any, field: Any) -> None:
    assert found_in(declare(other=field)) == ["E003"]


@for_each(
    "field",
    [
        models.DurationField(null=True),
        models.DateField(auto_now=True),
        models.DateTimeField(auto_now_add=True),
        models.JSONField(default=dict),
        models.BooleanField(db_default=False),
        models.CharField(max_length=9),
        models.ForeignKey(Page, models.SET_NULL, null=True, related_name="+"),
        models.GeneratedField(
            expression=models.F("views") * 2, output_field=models.IntegerField(), db_persist=True
        ),
    ],
)
def test_field_that_a_fold_fills_passes(declare: Any, field: Any) -> None:
    assert found_in(declare(other=field)) == []


def test_number_that_is_not_listed_needs_a_default(declare: Any) -> None:
    assert found_in(declare(counters=("views",), rank=models.IntegerField())) == ["E003"]
    rank = models.IntegerField(default=0)
    assert found_in(declare(counters=("views",), rank=rank)) == []


def test_primary_key_must_be_given(declare: Any) -> None:
    assert found_in(declare(code=models.CharField(max_length=9, primary_key=True))) == ["E003"]


@for_each(
    "field, found",
    [
        (models.AutoField, ["W006"]),
        (models.SmallAutoField, ["W006"]),
        (models.BigAutoField, []),
    ],
)
def test_primary_key_that_runs_out_is_found(declare: Any, field: Any, found: list[str]) -> None:
    assert found_in(declare(id=field(primary_key=True))) == found


def test_counter_that_does_not_start_at_zero_is_found(declare: Any) -> None:
    assert found_in(declare(views=models.IntegerField(default=5))) == ["W005"]
    assert (
        found_in(declare(views=models.DecimalField(max_digits=3, decimal_places=1, default=0)))
        == []
    )


def test_counter_that_may_be_null_is_found(declare: Any) -> None:
    assert found_in(declare(views=models.IntegerField(null=True))) == ["E004"]


def test_class_that_inherits_a_table_is_found(declare: Any) -> None:
    assert found_in(declare(declare(), views=None)) == ["E005"]


@for_each(
    "body",
    [
        {"views": models.IntegerField(default=0, unique=True)},
        {"meta": {"unique_together": [("content_type", "views")]}},
        {"meta": {"constraints": [models.UniqueConstraint(fields=["object_id"], name="x")]}},
        {"parent": models.OneToOneField(Page, models.CASCADE, related_name="+")},
    ],
)
def test_second_key_is_found(declare: Any, body: dict[str, Any]) -> None:
    assert found_in(declare(TrackableTimeSeriesData, **body)) == ["E006"]


def test_wider_keys_pass(declare: Any) -> None:
    wide = ("content_type", "object_id", "collected_during", "views")
    assert found_in(declare(TrackableTimeSeriesData, meta={"unique_together": [wide]})) == []
    one = models.OneToOneField(Page, models.CASCADE, related_name="+")
    assert found_in(declare(parent=one)) == []


def test_checks_of_a_class_run_with_those_of_its_model(declare: Any) -> None:
    assert "E001" in ids(declare(views=None).check())


def test_abstract_classes_and_proxies_are_passed_over(declare: Any) -> None:
    assert found_in(declare(views=None, meta={"abstract": True})) == []
    assert found_in(declare(PageData, views=None, meta={"proxy": True})) == []


# the registry


@pytest.fixture
def site() -> TrackableSite:
    return TrackableSite("fresh")


@pytest.mark.parametrize(
    ("model", "data_cls", "found"),
    [
        (Unregistered, PageData, []),
        (Download, PageData, ["E008"]),
        (Link, PageData, ["E008"]),
        (Page, DownloadData, ["E008"]),
        (Link, DownloadData, ["E008"]),
        (Page, LinkData, []),
        (Download, LinkData, []),
        (Unregistered, PageParentData, ["E009"]),
    ],
)
def test_pairs_that_do_not_fit_are_found(
    site: TrackableSite, model: Any, data_cls: Any, found: list[str]
) -> None:
    site.register(model, data_cls)
    assert ids(checks.check_registry()) == found


def test_hint_is_the_line_to_add(site: TrackableSite) -> None:
    site.register([Link, Download], PageTotals)
    hints = [message.hint for message in checks.check_registry()]
    assert hints == [
        "Add to the class: object_id = models.CharField(max_length=64).",
        "Add to the class: object_id = models.UUIDField().",
    ]


def test_characters_that_are_too_few_are_found(site: TrackableSite, declare: Any) -> None:
    site.register([Link, Download], declare(object_id=models.CharField(max_length=35)))
    assert ids(checks.check_registry()) == ["E008", "E008"]


def test_children_and_proxies_share_the_foreign_key(site: TrackableSite, declare: Any) -> None:
    proxy = type(Page)(
        "Proxy",
        (Page,),
        {
            "__module__": __name__,
            "Meta": type("Meta", (), {"proxy": True, "app_label": "testapp"}),
        },
    )
    site.register(proxy, PageParentData)
    assert checks.check_registry() == []


def test_key_is_the_one_in_the_end() -> None:
    class Meta:
        app_label = "testapp"

    with isolate_apps("trackable_tests.testapp"):
        owner = models.OneToOneField(Download, models.CASCADE, primary_key=True, related_name="+")
        extra: Any = type(
            "Extra", (models.Model,), {"__module__": __name__, "Meta": Meta, "owner": owner}
        )
    assert key_of(extra) is Download._meta.pk


# settings


def test_every_setting_has_a_rule() -> None:
    assert sorted(RULES) == sorted(conf.DEFAULTS)


def test_misspelt_names_are_found_with_the_right_one(settings: Any) -> None:
    settings.TRACKABLE_COLECTION_PERIOD = 60
    (message,) = checks.check_settings()
    assert message.id == "trackable.E010"
    assert message.hint == "Did you mean TRACKABLE_COLLECTION_PERIOD?"


def test_names_that_are_like_no_other_are_found_too(settings: Any) -> None:
    settings.TRACKABLE_ZZZ = 1
    (message,) = checks.check_settings()
    assert "There is no setting TRACKABLE_ZZZ" in message.msg


def test_misspelling_of_the_old_manual_is_a_warning(settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERTING = True
    assert ids(checks.check_settings()) == ["W001"]


WRONG = {
    "BROKER_TIMEOUT": [0, -1, "2", None, True, float("nan"), float("inf")],
    "BROKER_TRANSPORT_OPTIONS": [None, [], "x"],
    "BROKER_URL": [5, b"redis://", ["redis://"]],
    "CAPTURE_CONNECTION_ERRORS": [1, "yes", None],
    "COLLECTION_PERIOD": [0, "1800", None],
    "DISABLE_COLLECTION_TASK": ["False"],
    "EXIT_TIMEOUT": [-1, None],
    "FLUSH_INTERVAL": [0, "0.5"],
    "FLUSH_THREAD": [1],
    "FOLD_MAX_COUNTERS": [0, None],
    "JOURNAL_DIR": ["", None, 5],
    "JOURNAL_FSYNC": [True, False, None, "Seal", []],
    "JOURNAL_MAX_BYTES": [0, "1G"],
    "JOURNAL_RETENTION": [-600],
    "JOURNAL_SEGMENT_BYTES": [0, 100 << 20, 10**400],
    "LEDGER_HORIZON": [0, "7 days"],
    "MISSING_USER_AGENT_IS_SPIDER": [None],
    "QUEUE_ARGUMENTS": [None, [("x", 1)]],
    "QUEUE_PREFIX": [None, b"x", 5],
    "REGISTER_ADMIN_MODELS": [None],
    "REMOVE_MALFORMED_MESSAGES": [0],
    "RESEND_AFTER": [0, "x"],
    "TRUSTED_PROXIES": [None, "10.0.0.0/8", ["10.0.0.1/8"], [7]],
    "USER_AGENT_FILTERING": ["on"],
}


def test_a_number_that_has_no_text_is_told_of_by_its_type(settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_SEGMENT_BYTES = 10**5000
    (message,) = checks.check_settings()
    assert message.msg == "TRACKABLE_JOURNAL_SEGMENT_BYTES is a int."


@for_each("name, value", [(n, v) for n, vs in WRONG.items() for v in vs])
def test_wrong_values_are_found(settings: Any, name: str, value: Any) -> None:
    setattr(settings, f"TRACKABLE_{name}", value)
    (message,) = django_checks.run_checks(tags=["trackable"])
    assert message.id == "trackable.E011"
    assert message.msg.startswith(f"TRACKABLE_{name} is ")
    assert message.hint.startswith("It must be ")


def test_passwords_are_not_shown(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = ["amqp://guest:secret@example.org"]
    settings.TRACKABLE_BROKER_TRANSPORT_OPTIONS = [("password", "secret")]
    assert "secret" not in str(checks.check_settings())


@pytest.mark.parametrize("name", ["JOURNAL_RETENTION", "RESEND_AFTER"])
def test_times_past_the_horizon_are_found(settings: Any, name: str) -> None:
    settings.TRACKABLE_LEDGER_HORIZON = 7200
    assert checks.check_settings() == []
    setattr(settings, f"TRACKABLE_{name}", 7200)
    assert ids(checks.check_settings()) == ["E012"]


def test_collecting_past_the_horizon_is_found(settings: Any) -> None:
    settings.TRACKABLE_COLLECTION_PERIOD = 30 * 24 * 3600
    named = [message.msg.split()[0] for message in checks.check_settings()]
    assert named == ["TRACKABLE_RESEND_AFTER", "TRACKABLE_COLLECTION_PERIOD"]


def test_broker_in_memory_is_a_warning(settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = "memory://"
    assert ids(checks.check_settings()) == ["W004"]


# the journal


def test_journal_that_is_not_there_yet_passes() -> None:
    assert not conf.journal_dir().exists()
    assert checks.check_journal() == []


def test_file_in_the_way_is_found(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.TRACKABLE_JOURNAL_DIR = tmp_path / "file" / "journal"
    assert ids(checks.check_journal()) == ["E013"]


def test_dangling_link_is_found(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    settings.TRACKABLE_JOURNAL_DIR = tmp_path / "link"
    assert ids(checks.check_journal()) == ["E013"]


@for_each(
    "path, base",
    [("journal", None), ("journal", "site"), (".", ""), ("~/journal", "/srv"), (None, "site")],
)
def test_journal_that_is_not_in_one_place_is_found(
    settings: Any, path: str | None, base: str | None
) -> None:
    settings.BASE_DIR, settings.TRACKABLE_JOURNAL_DIR = base, path
    if path is None:
        del settings.TRACKABLE_JOURNAL_DIR
    (message,) = checks.check_journal()
    assert message.id == "trackable.E014"
    assert "absolute path" in message.hint


def test_relative_journal_in_a_project_passes(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR, settings.TRACKABLE_JOURNAL_DIR = str(tmp_path), Path("journal")
    assert checks.check_journal() == []


def test_journal_that_every_site_would_have_is_a_warning(settings: Any) -> None:
    del settings.BASE_DIR
    assert checks.check_journal() == []
    del settings.TRACKABLE_JOURNAL_DIR
    assert ids(checks.check_journal()) == ["W008"]


def test_folder_of_another_user_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert ids(checks.check_journal()) == ["W002"]


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs"])
def test_network_file_system_is_a_warning(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    shared = tmp_path / "with a space"
    shared.mkdir()
    mounts = tmp_path / "mounts"
    point = str(shared).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {point} {kind} rw 0 0\n")
    monkeypatch.setattr(journal, "MOUNTS", mounts)
    assert checks.check_journal() == []
    settings.TRACKABLE_JOURNAL_DIR = shared / "journal"
    assert ids(checks.check_journal()) == ["W003"]


def test_later_mount_hides_an_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"a {tmp_path} nfs rw 0 0\nb {tmp_path} ext4 rw 0 0\nc {tmp_path}2 nfs rw\n")
    monkeypatch.setattr(journal, "MOUNTS", mounts)
    assert journal.file_system_of(tmp_path) == "ext4"


def test_systems_without_a_table_of_mounts_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MOUNTS", Path("/no/such/file"))
    assert checks.check_journal() == []


# databases


@pytest.mark.django_db
def test_databases_of_the_tests_have_transactions() -> None:
    assert checks.check_databases(databases=["default"]) == []


@pytest.mark.parametrize("label", ["testapp.PageData", "trackable.LedgerEntry"])
def test_engine_without_transactions_is_found(
    settings: Any, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    monkeypatch.setattr(type(connections["other"].features), "supports_transactions", False)
    settings.TEST_DATABASE_OF = {"testapp.Page": "other"}
    assert checks.check_databases(databases=["other"]) == []
    settings.TEST_DATABASE_OF = {label: "other"}
    assert ids(checks.check_databases(databases=["other"])) == ["E020"]
    assert checks.check_databases() == []


@for_each(
    "modes, found",
    [(set(), ["E022"]), ({"STRICT_ALL_TABLES"}, []), ({"STRICT_TRANS_TABLES", "ANSI"}, [])],
)
def test_database_that_cuts_in_silence_is_found(
    settings: Any, monkeypatch: pytest.MonkeyPatch, modes: set[str], found: list[str]
) -> None:
    other = connections["other"]
    monkeypatch.setattr(other, "vendor", "mysql")
    monkeypatch.setattr(other, "sql_mode", modes, raising=False)
    assert checks.check_databases(databases=["other"]) == []
    settings.TEST_DATABASE_OF = {"testapp.PageData": "other"}
    assert ids(checks.check_databases(databases=["other"])) == found


def test_no_table_is_made_to_find_out(monkeypatch: pytest.MonkeyPatch) -> None:
    features = type(connections["other"].features)
    asked = BaseDatabaseFeatures.__dict__["supports_transactions"]
    monkeypatch.setattr(features, "supports_transactions", asked)
    assert databases._has_transactions("other")


class Router:
    """Migrates only what it is told to into ``other``."""

    def __init__(self, *allowed: Any) -> None:
        self.allowed = {model._meta.label_lower for model in allowed}

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        return "other" if model in (PageData, PageParentData) else None

    def allow_migrate(self, db: str, app_label: str, model_name: str = "", **_: Any) -> bool:
        return db != "other" or f"{app_label}.{model_name}" in self.allowed


def test_database_without_a_ledger_is_found(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [Router(PageData, PageParentData, ContentType)]
    found = checks.check_routing()
    assert ids(found) == ["E021"] * 4
    assert {message.obj for message in found} == {PageData, PageParentData}
    assert "trackable.LedgerEntry" in found[0].msg


def test_database_without_content_types_is_found_for_generic_relations(settings: Any) -> None:
    from trackable.models import LedgerEntry, QuarantinedMessage

    settings.DATABASE_ROUTERS = [Router(LedgerEntry, QuarantinedMessage)]
    (message,) = checks.check_routing()
    assert (message.id, message.obj) == ("trackable.E021", PageData)


def test_record_class_in_a_database_without_a_ledger_is_found(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [Router(Visit)]
    settings.TEST_DATABASE_OF = {}
    router = settings.DATABASE_ROUTERS[0]
    router.db_for_write = lambda model, **_: "other" if model is Visit else None
    found = checks.check_routing()
    assert {(message.id, message.obj) for message in found} == {("trackable.E021", Visit)}
    assert len(found) == 2


def test_database_with_all_of_it_passes() -> None:
    assert checks.check_routing() == []
    assert trackable.site.data_classes()


@isolate_apps("trackable_tests.testapp")
@pytest.mark.parametrize(("digits", "found"), [(15, []), (16, ["W009"])])
def test_decimals_longer_than_those_of_sqlite_are_a_warning(
    settings: Any, monkeypatch: pytest.MonkeyPatch, digits: int, found: list[str]
) -> None:
    class Long(TrackableData):
        money = models.DecimalField(max_digits=digits, decimal_places=2, default=0)

        class Meta:
            app_label = "testapp"

    monkeypatch.setattr(databases, "folded_classes", lambda: [Long])
    settings.TEST_DATABASE_OF = {"testapp.Long": "other"}
    assert ids(checks.check_precision()) == found
    monkeypatch.setattr(connections["other"], "vendor", "postgresql")
    assert checks.check_precision() == []
