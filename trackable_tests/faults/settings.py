"""The settings of the processes of a run, which it writes into ``TRACKABLE_FAULTS`` as JSON."""

import json
import os

_run = json.loads(os.environ["TRACKABLE_FAULTS"])

if _run["databases"]["default"]["ENGINE"] == "django.db.backends.mysql":
    import pymysql

    # Django asks for a mysqlclient of at least some version, and means its interface.
    pymysql.version_info = max(pymysql.version_info, (2, 2, 8, "final", 1))
    pymysql.install_as_MySQLdb()

SECRET_KEY = "only for a run"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "trackable",
    "trackable_tests.testapp",
]
TESTAPP_SWAPPED_MODEL = "testapp.Unregistered"
DATABASES = _run["databases"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {process} {levelname} {message}", "style": "{"}},
    "handlers": {"file": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"trackable": {"handlers": ["file"], "level": "INFO"}},
}

TRACKABLE_REGISTER_ADMIN_MODELS = False
globals().update({f"TRACKABLE_{name}": value for name, value in _run["settings"].items()})
