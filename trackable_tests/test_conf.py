"""Settings: their defaults, and that what is set is what is read, at once."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from trackable import conf
from trackable_tests.tables import for_each

#: what each setting may be set to, other than its default
OTHER: dict[str, Any] = {
    "API_PERMISSION": "site.permissions.may_see_counts",
    "BROKER_TIMEOUT": 7.5,
    "BROKER_TRANSPORT_OPTIONS": {"visibility_timeout": 60},
    "BROKER_URL": "redis://example.org/3",
    "CAPTURE_CONNECTION_ERRORS": True,
    "COLLECTION_PERIOD": 60,
    "COLLECT_MAX_AGE": 86_400,
    "COLLECT_ORIGINS": ["https://www.example.com"],
    "COLLECT_RATE": "5/10s",
    "DISABLE_COLLECTION_TASK": True,
    "EXIT_TIMEOUT": 0,
    "FLUSH_INTERVAL": 0.1,
    "FLUSH_THREAD": True,
    "FOLD_MAX_COUNTERS": 10,
    "FORWARD": {"testapp.PageData.views": {}},
    "JOURNAL_DIR": "/var/lib/site/journal",
    "JOURNAL_FSYNC": "always",
    "JOURNAL_MAX_BYTES": 1000,
    "JOURNAL_RETENTION": 5,
    "JOURNAL_SEGMENT_BYTES": 100,
    "LEDGER_HORIZON": 3600,
    "MISSING_USER_AGENT_IS_SPIDER": False,
    "QUEUE_ARGUMENTS": {"x-queue-type": "quorum"},
    "QUEUE_PREFIX": "site.",
    "REGISTER_ADMIN_MODELS": True,
    "REMOVE_MALFORMED_MESSAGES": True,
    "RESEND_AFTER": 90,
    "TRUSTED_PROXIES": ["10.0.0.0/8"],
    "USER_AGENT_FILTERING": True,
}


def test_every_setting_is_tried_here() -> None:
    assert sorted(OTHER) == sorted(conf.DEFAULTS)


@for_each("name", sorted(OTHER))
def test_setting_is_read_when_used(name: str) -> None:
    before = conf.get(name)
    with override_settings(**{f"TRACKABLE_{name}": OTHER[name]}):
        assert conf.get(name) == OTHER[name]
    assert conf.get(name) == before


@for_each("name", sorted(set(OTHER) - {"QUEUE_PREFIX"} - set(conf.TEST_DEFAULTS)))
def test_without_a_setting_there_is_the_default(name: str) -> None:
    default = conf.DEFAULTS[name]
    assert conf.get(name) == (default() if callable(default) else default)


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        conf.get("NO_SUCH_THING")


def test_admin_models_follow_debug(settings: Any) -> None:
    assert conf.get("REGISTER_ADMIN_MODELS") is False
    settings.DEBUG = True
    assert conf.get("REGISTER_ADMIN_MODELS") is True
    settings.TRACKABLE_REGISTER_ADMIN_MODELS = False
    assert conf.get("REGISTER_ADMIN_MODELS") is False


def test_resending_follows_the_collection_period(settings: Any) -> None:
    settings.TRACKABLE_COLLECTION_PERIOD = 100
    assert conf.get("RESEND_AFTER") == 200


def test_default_journal_is_in_the_project() -> None:
    assert conf._default_journal_dir() == django_settings.BASE_DIR / ".trackable" / "journal"


def test_default_journal_of_a_project_without_a_folder_is_temporary(settings: Any) -> None:
    del settings.BASE_DIR
    assert conf._default_journal_dir() == Path(tempfile.gettempdir()) / ".trackable" / "journal"


@pytest.mark.parametrize("path", ["counts/journal", Path("counts", "journal")])
def test_a_relative_journal_is_in_the_project_whatever_the_working_directory(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Any
) -> None:
    settings.TRACKABLE_JOURNAL_DIR = path
    monkeypatch.chdir(tmp_path)
    assert conf.journal_dir() == django_settings.BASE_DIR / "counts" / "journal"


@for_each("path", ["journal", "~/journal", "."])
def test_without_a_project_a_relative_journal_does_not_follow_the_working_directory(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    del settings.BASE_DIR
    settings.TRACKABLE_JOURNAL_DIR = path
    before = conf.journal_dir()
    monkeypatch.chdir(tmp_path)
    assert conf.journal_dir() == before == Path(tempfile.gettempdir(), path)


def test_a_journal_in_a_relative_project_is_absolute(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BASE_DIR = "site"
    settings.TRACKABLE_JOURNAL_DIR = "journal"
    monkeypatch.chdir(tmp_path)
    assert conf.journal_dir() == tmp_path / "site" / "journal"


def test_an_absolute_journal_needs_no_project(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = b"/of bytes"
    settings.TRACKABLE_JOURNAL_DIR = str(tmp_path)
    assert conf.journal_dir() == tmp_path


def test_journal_of_a_test_run_is_not_the_projects(settings: Any) -> None:
    del settings.TRACKABLE_JOURNAL_DIR
    assert django_settings.BASE_DIR not in conf.journal_dir().parents


def test_misspelling_of_the_old_manual_is_honoured_with_a_warning() -> None:
    with (
        override_settings(TRACKABLE_USER_AGENT_FILTERTING=True),
        pytest.warns(DeprecationWarning, match="rename it to TRACKABLE_USER_AGENT_FILTERING"),
    ):
        assert conf.get("USER_AGENT_FILTERING") is True
    assert conf.get("USER_AGENT_FILTERING") is False


def test_right_spelling_wins_over_the_misspelling() -> None:
    with override_settings(
        TRACKABLE_USER_AGENT_FILTERTING=True, TRACKABLE_USER_AGENT_FILTERING=False
    ):
        assert conf.get("USER_AGENT_FILTERING") is False


@for_each("policy", ["off", "seal", "always"])
def test_sync_policies_are_three(settings: Any, policy: str) -> None:
    settings.TRACKABLE_JOURNAL_FSYNC = policy
    assert conf.fsync_policy() == policy


def test_other_sync_policies_are_no_default(settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_FSYNC = "sometimes"
    with pytest.raises(ImproperlyConfigured, match="'sometimes': use 'off', 'seal' or 'always'"):
        conf.fsync_policy()
