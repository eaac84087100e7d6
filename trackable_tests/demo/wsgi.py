"""The WSGI application. It serves the static files itself: the demo has no other server."""

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackable_tests.demo.settings")

application = StaticFilesHandler(get_wsgi_application())
