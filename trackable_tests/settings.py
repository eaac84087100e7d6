"""The settings of the tests. Importing them makes no file and no connection.

``TRACKABLE_TEST_DATABASE`` picks the database: sqlite (the default), postgresql or mariadb.
A process that a test starts finds the test's own databases and settings in
``TRACKABLE_TEST_CHILD``, which the fixture ``child_environment`` writes.
"""

import json
import os
import tempfile
from pathlib import Path

import django

from trackable_tests.services import database_at

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "trackable_tests.urls"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "trackable",
    "trackable.contrib.pixels",
    "trackable.contrib.beacons",
    "trackable.contrib.affiliations",
    "trackable.contrib.analytics",
    "trackable_tests.testapp",
    "trackable_tests.contrib.campaigns",
]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": ":memory:",  # the tests put a file of their own in its place
    "OPTIONS": {"timeout": 30, "init_command": "PRAGMA synchronous = OFF"},
}
TEST_DATABASE = os.environ.get("TRACKABLE_TEST_DATABASE") or "sqlite"

if TEST_DATABASE == "mariadb":
    import pymysql

    # Django asks for a mysqlclient of at least some version, and means its interface.
    pymysql.version_info = max(pymysql.version_info, (2, 2, 8, "final", 1))
    pymysql.install_as_MySQLdb()

DATABASES = {
    "default": SQLITE if TEST_DATABASE == "sqlite" else database_at(TEST_DATABASE),
    "other": {**SQLITE},
}
DATABASE_ROUTERS = ["trackable_tests.routers.SettingRouter"]

#: model label -> alias, for tests of several databases
TEST_DATABASE_OF: dict[str, str] = {}

#: a swappable model that is swapped out
TESTAPP_SWAPPED_MODEL = "testapp.Unregistered"

if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

PTRACK_SECRET = "only for tests of pixels"

TRACKABLE_BROKER_URL = None
TRACKABLE_JOURNAL_DIR = str(Path(tempfile.gettempdir()) / f"trackable-tests-{os.getpid()}")

if "TRACKABLE_TEST_CHILD" in os.environ:
    _parent = json.loads(os.environ["TRACKABLE_TEST_CHILD"])
    for _alias, _name in _parent["databases"].items():
        DATABASES[_alias]["NAME"] = _name
    globals().update(_parent["settings"])
