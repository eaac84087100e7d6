"""The pages of a site with partners, and what tests do there."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.urls import path

from trackable.contrib.affiliations.models import Partner, Subscription, Visitor
from trackable.contrib.affiliations.triggers import complete_trigger
from trackable_tests.contrib.campaigns.models import Campaign

OWN = "trackable.contrib.affiliations.middleware.AffiliateVisitorsRegistrationMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
MIDDLEWARE = [SESSION, "django.contrib.auth.middleware.AuthenticationMiddleware", OWN]

POST_SAVE = "django.db.models.signals.post_save"
OBJECT_CREATED = "trackable.contrib.affiliations.triggers.object_created"
OBJECT_SAVED = "trackable.contrib.affiliations.triggers.object_saved"
REGISTERED = ("User registered", POST_SAVE, OBJECT_CREATED, "django.contrib.auth.models.User")
STARTED = (
    "Campaign started",
    POST_SAVE,
    OBJECT_CREATED,
    "trackable_tests.contrib.campaigns.models.Campaign",
)
CALLED = ("Called us",)

KEY = "affiliate_id"
SESSION_KEY = "affiliate_visitor_id"
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
CRAWLER = {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}


def page(request: HttpRequest, rest: str = "") -> HttpResponse:
    return HttpResponse(request.get_full_path())


async def async_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.get_full_path())


def who(request: HttpRequest) -> HttpResponse:
    visitor = request.affiliate_visitor  # type: ignore[attr-defined]
    return JsonResponse({"visitor": None if visitor is None else visitor.pk})


async def async_who(request: HttpRequest) -> HttpResponse:
    visitor = await request.aaffiliate_visitor()  # type: ignore[attr-defined]
    assert request.affiliate_visitor is visitor  # type: ignore[attr-defined]
    return JsonResponse({"visitor": None if visitor is None else visitor.pk})


async def hasty_who(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"visitor": request.affiliate_visitor})  # type: ignore[attr-defined]


def register(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"user": User.objects.create_user("visitor").pk})


async def async_register(request: HttpRequest) -> HttpResponse:
    user = await sync_to_async(User.objects.create_user)("visitor")
    return JsonResponse({"user": user.pk})


def start(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"campaign": Campaign.objects.create(name="spring").pk})


def start_and_fail(request: HttpRequest, status: int) -> HttpResponse:
    """Start a campaign, take it back, and answer with a status: 500 of an error."""
    try:
        with transaction.atomic():
            Campaign.objects.create(name="spring")
            raise ZeroDivisionError
    except ZeroDivisionError:
        if status == 500:
            raise
    return HttpResponse(status=status)


def call(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"called": complete_trigger(request, CALLED[0])})


urlpatterns = [
    path("who/", who),
    path("async/who/", async_who),
    path("async/hasty/", hasty_who),
    path("async/register/", async_register),
    path("async/", async_page),
    path("register/", register),
    path("start/", start),
    path("fail/<int:status>/", start_and_fail),
    path("call/", call),
    path("", page),
    path("<path:rest>", page),
]


def make_partner(*triggers: tuple[str, ...], **values: Any) -> Partner:
    """Make an active partner who subscribes to triggers."""
    partner = Partner.objects.create(**{"name": "Harbour", "active": True, **values})
    for trigger in triggers:
        Subscription.objects.create(
            partner=partner,
            trigger=trigger[0],
            callback_url="https://partner.example/told?visitor={visitor_id}",
        )
    return partner


def come_from(partner: Partner, client: Client | None = None, to: str = "/") -> Client:
    """Have a browser follow a link of a partner's."""
    client = client or Client(headers=BROWSER)
    response = client.get(f"{to}?{KEY}={partner.uid}")
    assert (response.status_code, response["Location"]) == (302, to)
    return client


def location_of(path: str, client: Client | None = None) -> str:
    """Return where a GET is sent to, which must be for this once."""
    response = (client or Client()).get(path)
    assert response.status_code == 302
    assert response.content == b""
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    return str(response["Location"])


def visitor_of(client: Client) -> Visitor | None:
    """Return the visitor that the browser's session names."""
    return Visitor.objects.filter(pk=client.session.get(SESSION_KEY)).first()
