"""The settings of the tests, without a word on trackable's broker: Celery's is to be found."""

from trackable_tests.settings import *  # noqa: F403

if globals().get("TRACKABLE_BROKER_URL") is None:
    del TRACKABLE_BROKER_URL  # noqa: F821

CELERY_RESULT_BACKEND = None
CELERY_WORKER_SEND_TASK_EVENTS = False
