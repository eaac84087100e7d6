"""Arrivals: what travelled is read as the site keeps it, and comes with nothing that folds."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from trackable.contrib.beacons import arrivals
from trackable_tests.contrib.beacons.visits import AT
from trackable_tests.test_architecture import loaded_by

#: what only emits, folds or talks to a broker
LATER = ("celery", "kombu", "trackable.folding", "trackable.messaging")

SET_UP = """
from django.conf import settings
settings.INSTALLED_APPS = ["django.contrib.contenttypes", "trackable", "trackable.contrib.beacons"]
import django
django.setup()
"""


def test_time_is_that_of_the_site_whichever_zone_is_active(settings: Any) -> None:
    settings.USE_TZ, settings.TIME_ZONE = False, "Europe/Berlin"
    with timezone.override("Asia/Tokyo"):
        arrival = arrivals.read({"at": AT.isoformat()})
    assert arrival.at == (AT + timedelta(hours=1)).replace(tzinfo=None)


def test_setting_up_loads_nothing_that_folds() -> None:
    names = (*LATER, "trackable.contrib.beacons.models")
    code = f"exec({SET_UP!r})"
    assert loaded_by(code, names, DJANGO_SETTINGS_MODULE="trackable_tests.settings") == names[-1]
