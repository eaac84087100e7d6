"""What a tracking pixel costs the server, beside django-ptrack."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any
from urllib.parse import unquote

from benchmarks.children import Child, children
from benchmarks.lab import Lab
from benchmarks.measures import others
from benchmarks.measuring import Contenders, Target, measure

OURS, THEIRS = "trackable.contrib.pixels", "ptrack"
#: those of ``startproject`` that need no table
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.5.0"
COUNTS = "counts"
ARGUMENTS = {"newsletter": 42, "recipient": "somebody@example.com"}


def does_nothing(request: Any) -> None: ...


def updates(request: Any) -> None:
    others.update(1)


def answers(package: str, record: str, number: int) -> Generator[Any]:
    """Answer so many requests; find the median of processor time, in microseconds."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import RequestFactory

    path = _path(package, record)
    handler = WSGIHandler()
    yield
    while True:
        requests = [RequestFactory()._base_environ(**_asked_for(path)) for _ in range(number)]
        found = [_processor_time(handler, request) for request in requests]
        yield median(found) / 1000


def _path(package: str, record: str) -> str:
    """Return the path of an image, whose loading has something done."""
    if record == COUNTS:
        from benchmarks.site.models import Page
        from trackable.contrib.pixels.counting import counting_url

        return counting_url(Page(pk=1), "views")
    from django.urls import reverse

    pixels, action = import_module(package), globals()[record]
    body = {"record": lambda self, request, *args, **kwargs: action(request)}
    pixels.tracker.register(type("Pixel", (pixels.TrackingPixel,), body))
    data = pixels.ptrack_encoder.encrypt("open", **ARGUMENTS)
    return reverse("ptrack", kwargs={"ptrack_encoded_data": data})


def _asked_for(path: str) -> dict[str, str]:
    return {"PATH_INFO": unquote(path), "HTTP_USER_AGENT": AGENT}


def _processor_time(handler: Any, environ: dict[str, Any]) -> int:
    started = time.process_time_ns()
    response = handler(environ, lambda status, headers: None)
    body = b"".join(response)
    response.close()
    taken = time.process_time_ns() - started
    assert response.status_code == 200
    assert body.startswith(b"GIF89a")
    return taken


CONTENDERS = {
    "a pixel that counts": (OURS, COUNTS),
    "a pixel": (OURS, does_nothing.__name__),
    "django-ptrack 3.0.0": (THEIRS, does_nothing.__name__),
    "django-ptrack 3.0.0 and an F() update": (THEIRS, updates.__name__),
}


@measure(
    "pixel",
    title="a request of a tracking pixel",
    unit="µs of processor time",
    needs=("postgresql",),
    budget_seconds=15,
    targets=tuple(Target(name, at_most=1000) for name in ("a pixel that counts", "a pixel")),
    note="The whole request through Django's handler and middleware, without a server: the median"
    " of many. Processor time is that of all threads; an F() update waits besides.",
)
def a_request(lab: Lab) -> Iterator[Contenders]:
    number = lab.pick(2_000, 500)
    others.fill("postgresql")
    with ExitStack() as stack:
        contenders: Contenders = {}
        for name, (package, record) in CONTENDERS.items():
            environment = lab.environment(
                INSTALLED_APPS=[
                    "django.contrib.contenttypes",
                    *("trackable", "benchmarks.site", package),
                ],
                MIDDLEWARE=MIDDLEWARE,
                ROOT_URLCONF="benchmarks.site.pixel_urls",
                PTRACK_SECRET="only for a run of benchmarks",
                PTRACK_APP_URL="" if package == OURS else "https://example.com",
                TRACKABLE_JOURNAL_DIR=str(lab.new_folder()),
            )
            job = [(package, record, number)]
            [child] = stack.enter_context(children(answers, job, environment))
            contenders[name] = partial(_work, child)
        yield contenders


def _work(child: Child) -> float:
    return float(child.work())
