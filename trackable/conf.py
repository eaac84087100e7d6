"""The settings: their names, defaults and units, read when used.

Values are remembered until Django says that a setting changed, because a miss on
``django.conf.settings`` costs more than the rest of an emit.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

PREFIX: Final = "TRACKABLE_"
UNSET: Final = object()
MISSPELT_FILTERING: Final = "TRACKABLE_USER_AGENT_FILTERTING"


def _default_journal_dir() -> Path:
    return Path(project_dir() or tempfile.gettempdir()) / ".trackable" / "journal"


def _test_journal_dir() -> Path:
    return _tests_dir / str(os.getpid())


def _default_resend() -> float:
    return 2.0 * float(get("COLLECTION_PERIOD"))


#: name without the prefix -> default, or a function that makes it
DEFAULTS: Final[dict[str, Any]] = {
    "API_PERMISSION": None,
    "BROKER_TIMEOUT": 2.0,
    "BROKER_TRANSPORT_OPTIONS": dict,
    "BROKER_URL": UNSET,
    "CAPTURE_CONNECTION_ERRORS": False,
    "COLLECTION_PERIOD": 1800,
    "COLLECT_MAX_AGE": None,
    "COLLECT_ORIGINS": (),
    "COLLECT_RATE": "60/m",
    "DISABLE_COLLECTION_TASK": False,
    "EXIT_TIMEOUT": 3.0,
    "FLUSH_INTERVAL": 0.5,
    "FLUSH_THREAD": True,
    "FOLD_MAX_COUNTERS": 110_000,
    "FORWARD": dict,
    "JOURNAL_DIR": _default_journal_dir,
    "JOURNAL_FSYNC": "seal",
    "JOURNAL_MAX_BYTES": 1 << 30,
    "JOURNAL_RETENTION": 600,
    "JOURNAL_SEGMENT_BYTES": 4 << 20,
    "LEDGER_HORIZON": 7 * 24 * 3600,
    "MISSING_USER_AGENT_IS_SPIDER": True,
    "QUEUE_ARGUMENTS": dict,
    "QUEUE_PREFIX": "trackable.",
    "REGISTER_ADMIN_MODELS": lambda: settings.DEBUG,
    "REMOVE_MALFORMED_MESSAGES": False,
    "RESEND_AFTER": _default_resend,
    "TRUSTED_PROXIES": (),
    "USER_AGENT_FILTERING": False,
}

#: defaults that keep a test run away from the journal and the broker of the site it tests
TEST_DEFAULTS: Final[dict[str, Any]] = {
    "BROKER_URL": None,
    "FLUSH_THREAD": False,
    "JOURNAL_DIR": _test_journal_dir,
}

_known: dict[str, Any] = {}
_was_under_test = False


def get(name: str) -> Any:
    """Return the value in force of the setting ``TRACKABLE_<name>``.

    Raises ``KeyError`` for a name that is not one of trackable's.
    """
    try:
        return _known[name]
    except KeyError:
        value = _read(name)
        if name not in TEST_DEFAULTS:
            _known[name] = value
        return value


def _read(name: str) -> Any:
    default = DEFAULTS[name]
    value = getattr(settings, PREFIX + name, UNSET)
    if value is UNSET and name == "USER_AGENT_FILTERING":
        value = _misspelt_filtering()
    if value is not UNSET:
        return value
    if name in TEST_DEFAULTS and is_under_test():
        default = TEST_DEFAULTS[name]
    return default() if isinstance(default, Callable) else default  # type: ignore[arg-type]


def is_under_test() -> bool:
    """Tell whether Django's test environment is set up here, or was when this was last asked.

    At exit it is down again, and what the tests have emitted must not be shipped then.
    """
    global _was_under_test
    _was_under_test |= hasattr(sys.modules.get("django.core.mail"), "outbox")
    return _was_under_test


def _misspelt_filtering() -> Any:
    value = getattr(settings, MISSPELT_FILTERING, UNSET)
    if value is not UNSET:
        warnings.warn(
            f"{MISSPELT_FILTERING} is a misspelling: rename it to TRACKABLE_USER_AGENT_FILTERING.",
            DeprecationWarning,
            stacklevel=4,
        )
    return value


def project_dir() -> Any:
    """Return the project's ``BASE_DIR``, or ``None`` if its settings have none."""
    return getattr(settings, "BASE_DIR", None) or None


def journal_dir() -> Path:
    """Return the absolute path of this machine's journal; it need not exist yet.

    The same for each process of the site, wherever that works: cron's is in its home.
    """
    directory = Path(get("JOURNAL_DIR"))
    if not directory.is_absolute():
        directory = Path(project_dir() or tempfile.gettempdir(), directory)
    return directory.absolute()


def fsync_policy() -> str:
    """Return when journal segments are synced: ``"off"``, ``"seal"`` or ``"always"``."""
    policy = get("JOURNAL_FSYNC")
    if policy not in ("off", "seal", "always"):
        raise ImproperlyConfigured(
            f"TRACKABLE_JOURNAL_FSYNC is {policy!r}: use 'off', 'seal' or 'always'."
        )
    return str(policy)


def forget(**_: Any) -> None:
    """Read every setting afresh from now on."""
    _known.clear()


def _remove_tests_dir() -> None:
    if os.getpid() == _tests_dir_owner:
        shutil.rmtree(_tests_dir, ignore_errors=True)


# Forked test processes have folders in their parent's, which takes them along. Registered here
# because what is registered first is called last: the flusher still writes at exit.
_tests_dir: Final = Path(tempfile.gettempdir()) / f"trackable-tests-{os.urandom(8).hex()}"
_tests_dir_owner: Final = os.getpid()
atexit.register(_remove_tests_dir)

setting_changed.connect(forget, dispatch_uid="trackable.conf.forget")
