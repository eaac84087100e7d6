"""A Celery task for each hit: ``celery -A benchmarks.site.celery worker``."""

from __future__ import annotations

import os

from celery import Celery
from django.db.models import F


def app_at(url: str | None) -> Celery:
    """Return an app with the task ``hit``, at a broker."""
    made = Celery("benchmarks", broker=url, set_as_current=False)
    made.conf.task_ignore_result = True

    @made.task(name="hit", shared=False)
    def hit(page_id: int) -> None:
        from benchmarks.site.models import Hits  # the worker sets up Django after this module

        Hits.objects.filter(pk=page_id).update(views=F("views") + 1)

    return made


if "CELERY_BROKER_URL" in os.environ:
    app = app_at(os.environ["CELERY_BROKER_URL"])
