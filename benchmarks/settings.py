"""The settings of every process of a run, which the lab writes into ``BENCHMARKS`` as JSON."""

import json
import os

_run = json.loads(os.environ["BENCHMARKS"])

if "mariadb" in _run["databases"]:
    import pymysql

    # Django asks for a mysqlclient of at least some version, and means its interface.
    pymysql.version_info = max(pymysql.version_info, (2, 2, 8, "final", 1))
    pymysql.install_as_MySQLdb()

SECRET_KEY = "only for a run"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "benchmarks.site.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "trackable", "benchmarks.site"]
# Django wants a default; the router names another one for every model.
DATABASES = {name: {**entry, "CONN_MAX_AGE": 60} for name, entry in _run["databases"].items()}
DATABASES["default"] = {}
DATABASE_ROUTERS = ["benchmarks.site.routers.Router"]

TRACKABLE_BROKER_URL = None
TRACKABLE_REGISTER_ADMIN_MODELS = False
globals().update(_run["settings"])
