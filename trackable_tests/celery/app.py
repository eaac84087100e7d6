"""The app: ``celery -A trackable_tests.celery.app worker``."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackable_tests.celery.settings")

app = Celery("trackable_tests")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.task
def emit_views(pk: int, times: int) -> None:
    from trackable.messaging import send_increment_message
    from trackable_tests.testapp.models import Page

    for _ in range(times):
        assert send_increment_message(None, Page(pk=pk), "views")
