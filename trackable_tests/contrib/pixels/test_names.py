"""Names: those of django-ptrack are where its users import them, and loading them loads little."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.apps import apps
from django.urls import resolve, reverse

from trackable.contrib import pixels as ptrack
from trackable.exceptions import TrackableError
from trackable_tests.tables import for_each

#: where django-ptrack has it, and whether it is documented there
NAMES = [
    ("tracker", "trackers"),
    ("TrackingPixel", None),
    ("PtrackEncoder", "encoder"),
    ("ptrack_encoder", None),
    ("PtrackError", "exceptions"),
    ("PtrackRegistrationError", "exceptions"),
    ("Tracker", "trackers"),
]


@for_each("name, module", NAMES)
def test_name_is_in_its_module_and_in_the_package(name: str, module: str | None) -> None:
    assert name in ptrack.__all__
    if module:
        loaded = __import__(f"trackable.contrib.pixels.{module}", fromlist=[name])
        assert getattr(loaded, name) is getattr(ptrack, name)


def test_all_names_are_there() -> None:
    assert [name for name in ptrack.__all__ if not hasattr(ptrack, name)] == []


def test_errors_have_one_root() -> None:
    errors = [getattr(ptrack, n) for n in ptrack.__all__ if n.endswith("Error")]
    assert len(errors) == 6
    assert all(issubclass(error, ptrack.PtrackError) for error in errors)
    assert issubclass(ptrack.PtrackError, TrackableError)


@pytest.mark.urls("trackable_tests.contrib.pixels.urls")
def test_url_has_its_old_name_and_keyword() -> None:
    assert reverse("ptrack", kwargs={"ptrack_encoded_data": "abc"}) == "/ptrack/abc/"
    assert resolve("/ptrack/abc/").func.view_class is _view()  # type: ignore[attr-defined]


def _view() -> Any:
    from trackable.contrib.pixels.views import TrackingPixel

    return TrackingPixel


def test_pixels_of_installed_apps_are_found() -> None:
    assert apps.get_app_config("trackable_pixels").name == "trackable.contrib.pixels"
    assert "CountingPixel" in ptrack.tracker._registry


def run(code: str, **env: str) -> str:
    environment = {n: v for n, v in os.environ.items() if n != "DJANGO_SETTINGS_MODULE"} | env
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.stdout.strip() + done.stderr


@pytest.mark.slow
def test_importing_needs_no_settings_and_loads_no_models_and_no_pynacl() -> None:
    late = ("nacl", "django.apps.registry", "django.db.models", "trackable.models")
    code = f"import sys, trackable.contrib.pixels; print([n for n in {late} if n in sys.modules])"
    assert run(code) == "[]"


@pytest.mark.slow
def test_setting_up_finds_pixels_and_loads_no_pynacl() -> None:
    code = (
        "import django, sys; django.setup(); from trackable.contrib import pixels;"
        " print([*pixels.tracker._registry], 'nacl' in sys.modules)"
    )
    env = {"DJANGO_SETTINGS_MODULE": "trackable_tests.settings"}
    assert run(code, **env) == "['CountingPixel'] False"


#: starts a site without the core and without a database, makes an image and loads it
SITE = """
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

urlpatterns = [path("ptrack/", include("trackable.contrib.pixels.urls"))]
settings.configure(
    INSTALLED_APPS=["trackable.contrib.pixels"],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    PTRACK_SECRET="0123456789abcdefghijklmnopqrstuv",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)
django.setup()
call_command("check", fail_level="WARNING")
from django.template import engines
from django.test import Client
from trackable.contrib import pixels

@pixels.tracker.register
class Printing(pixels.TrackingPixel):
    def record(self, request, *args, **kwargs):
        print(args, kwargs, "trackable.models" in sys.modules)

image = engines["django"].from_string("{% load ptrack %}{% ptrack 1 a='b' %}").render()
assert Client().get(image.split('"')[1]).status_code == 200
"""


@pytest.mark.slow
def test_pixels_need_neither_the_core_nor_a_database() -> None:
    lines = run(SITE).splitlines()
    assert lines[-1] == "(1,) {'a': 'b'} False"
