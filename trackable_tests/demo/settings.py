"""The settings of the demo site: SQLite, no broker, crawlers filtered.

``TRACKABLE_DEMO_DIR`` is where it keeps its database and journal (``.demo/site``);
``TRACKABLE_DEMO_FILTERING=0`` counts crawlers too.
"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DEMO_DIR = Path(os.environ.get("TRACKABLE_DEMO_DIR") or BASE_DIR / ".demo" / "site")

SECRET_KEY = os.environ.get("TRACKABLE_DEMO_SECRET_KEY") or "only for a site on 127.0.0.1"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ROOT_URLCONF = "trackable_tests.demo.urls"
WSGI_APPLICATION = "trackable_tests.demo.wsgi.application"
STATIC_URL = "/static/"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.admin",
    "trackable",
    "trackable_tests.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DEMO_DIR / "db.sqlite3",
        "OPTIONS": {
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
        },
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}

TRACKABLE_BROKER_URL = None
TRACKABLE_JOURNAL_DIR = DEMO_DIR / "journal"
TRACKABLE_USER_AGENT_FILTERING = os.environ.get("TRACKABLE_DEMO_FILTERING") != "0"
TRACKABLE_REGISTER_ADMIN_MODELS = True
