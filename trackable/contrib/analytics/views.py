"""Views: what a browser tells of itself, and whether it is one's own. Each answers 204."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from trackable.contrib.analytics import exclusions, pings
from trackable.contrib.analytics.sending import send


@method_decorator(csrf_exempt, name="dispatch")  # it has a token of its own
@method_decorator(login_not_required, name="dispatch")
class AnalyticsSessionParameterView(View):
    """Sends an event with the screen, the viewport and the colours that a browser tells.

    They are called ``r``, ``v`` and ``c``, the language ``l`` and the title of the page ``t``;
    ``s`` is the token that ``{% analytics_ping %}`` has put into the page, and is good for more
    than one ping. What another site has a browser send is not told.
    """

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _answer(request, pings.said_in_query(request))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _answer(request, pings.said_in_body(request))


@method_decorator(login_not_required, name="dispatch")
class OwnCookieView(View):
    """Has the visits of the browser that asks be one's own, so that nobody is told of them.

    ``OwnCookieView.as_view(is_own=False)`` ends that. What another site has a browser ask for is
    not done.
    """

    http_method_names = ["get"]
    is_own = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = _nothing()
        if not _is_of_another_site(request):
            exclusions.set_own(request, response, is_own=self.is_own)
        return response


def _answer(request: HttpRequest, said: dict[str, str]) -> HttpResponse:
    for hit in [] if _is_of_another_site(request) else pings.hits_of(request, said):
        send(hit)
    return _nothing()


def _is_of_another_site(request: HttpRequest) -> bool:
    return request.headers.get("Sec-Fetch-Site") == "cross-site"


def _nothing() -> HttpResponse:
    response = HttpResponse(status=204)
    add_never_cache_headers(response)
    return response
