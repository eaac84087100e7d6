"""Each app is installed on its own, beside the core and what that needs of Django."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import trackable

APPS = sorted(
    path.parent.name for path in Path(trackable.__file__).parent.glob("contrib/*/apps.py")
)
#: what an app needs of Django beside content types
NEEDED = {"affiliations": ["django.contrib.auth"]}

#: starts a site with the core and some apps of it, checks it, and makes its tables
SITE = """
import importlib.util
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

settings.configure(
    SECRET_KEY="k" * 50,
    BASE_DIR=sys.argv[1],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    TEMPLATES=[
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
    ],
    INSTALLED_APPS=["django.contrib.contenttypes", "trackable", *sys.argv[2:]],
    PTRACK_SECRET="0123456789abcdefghijklmnopqrstuv",
    PTRACK_APP_URL="https://example.com",
)
urlpatterns = []
django.setup()
for name in sys.argv[2:]:
    if importlib.util.find_spec(f"{name}.urls"):
        urlpatterns.append(path(f"{name}/", include(f"{name}.urls")))
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
call_command("makemigrations", check=True, dry_run=True, verbosity=1)
print(*sorted(name for name in sys.modules if name.startswith("trackable.contrib.")))
"""


def contrib_modules_of_a_site_with(folder: Path, *names: str) -> list[str]:
    command = [sys.executable, "-W", "error", "-c", SITE, str(folder)]
    apps = [f"trackable.contrib.{name}" for name in names]
    apps += sorted({each for name in names for each in NEEDED.get(name, [])})
    run = subprocess.run([*command, *apps], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.splitlines()[-1].split()


@pytest.mark.slow
def test_the_core_needs_none_of_them(tmp_path: Path) -> None:
    site = contrib_modules_of_a_site_with(tmp_path)
    assert [name for name in site if name.startswith("trackable.contrib.")] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", APPS)
def test_an_app_needs_no_other(name: str, tmp_path: Path) -> None:
    found = contrib_modules_of_a_site_with(tmp_path, name)
    assert f"trackable.contrib.{name}.apps" in found
    assert {module.split(".")[2] for module in found} == {name}
