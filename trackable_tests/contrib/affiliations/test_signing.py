"""What is signed is verified by the code that the manual gives to partners."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.http import HttpResponseForbidden
from django.test import RequestFactory

from trackable.contrib.affiliations import sending, signing
from trackable.contrib.affiliations.models import Partner
from trackable_tests.contrib.affiliations.partner_site import PartnerSite
from trackable_tests.tables import for_each

MANUAL = django_settings.BASE_DIR / "docs" / "how-to" / "affiliate-callbacks.md"
KEY = "6f1c2a3e-0000-4000-8000-000000000000"
URL = "https://partner.example/told?v=7&x=%C3%BC+a"
SECRET = "of the partner's"
PATHS = ["/told?v=7", "/told/7/", "/told?v=7&&a=b;c&d=%20+%C3%BC", "/%C3%A4/?v=7&x=a/b:@"]


def printed(part: str, **names: Any) -> dict[str, Any]:
    """Return what a block of the manual's code defines."""
    blocks = re.findall(r"^```python\n(.*?)^```$", MANUAL.read_text(), re.MULTILINE | re.DOTALL)
    (code,) = [each for each in blocks if part in each]
    exec(code, names)
    return names


IS_GENUINE = printed("def is_genuine")["is_genuine"]


def headers(**changed: Any) -> dict[str, str]:
    values = {"at_seconds": int(time.time()), "method": "GET", "url": URL, "key": KEY}
    signed = signing.header(secret=SECRET, **{**values, **changed})
    return {signing.HEADER: signed, "Idempotency-Key": KEY}


def is_genuine(found: dict[str, str], *, secret: str = SECRET, **changed: str) -> bool:
    values = {"method": "GET", "url": URL, **changed}
    return bool(IS_GENUINE(secret, values["method"], values["url"], found))


def test_signature_is_known() -> None:
    """As ``printf '1\\nGET\\nu\\nk' | openssl dgst -sha256 -hmac s`` has it."""
    signed = signing.header(secret="s", at_seconds=1, method="GET", url="u", key="k")
    wanted = "f3cfd300352bbfdf3bc16d7848ddab81271ec4b9184e7e57f9c066ea3cb89ef4"
    assert signed == f"t=1,v1={wanted}"


def test_genuine_call_is_verified() -> None:
    assert is_genuine(headers())


@for_each(
    "changed",
    [{"secret": "another"}, {"method": "POST"}, {"url": f"{URL}1"}, {"url": URL[:-1]}],
)
def test_call_for_another_purpose_is_not(changed: dict[str, str]) -> None:
    assert not is_genuine(headers(), **changed)


def test_another_key_is_not() -> None:
    assert not is_genuine({**headers(), "Idempotency-Key": f"{KEY}0"})


@pytest.mark.parametrize("age_seconds", [400, -400])
def test_call_of_another_time_is_not(age_seconds: int) -> None:
    assert not is_genuine(headers(at_seconds=int(time.time()) - age_seconds))


@for_each("signed", ["", "t=1", "v1=0", "t=x,v1=0", "t=1,v1=\u00fc", "=,=", "t=1,t=2,v1=", ",,,"])
def test_what_is_no_signature_is_not(signed: str) -> None:
    assert not is_genuine({signing.HEADER: signed, "Idempotency-Key": KEY})


def test_request_without_any_headers_is_not() -> None:
    assert not is_genuine({})


@for_each("path", PATHS)
def test_real_call_is_verified_from_what_arrives(partner_site: PartnerSite, path: str) -> None:
    sending.call(partner_site.url(path), key=KEY, secret=SECRET)
    request = partner_site.requests.pop()
    url = f"http://127.0.0.1:{partner_site.port}{request.target}"
    assert is_genuine(request.headers, url=url)
    assert not is_genuine(request.headers, url=f"{url}0")


@for_each("path", PATHS)
def test_view_of_the_manual_knows_a_genuine_call(path: str) -> None:
    names = {"SECRET": SECRET, "HttpResponseForbidden": HttpResponseForbidden}
    told = printed("def told", is_genuine=IS_GENUINE, **names)["told"]
    called = headers(url=f"https://partner.example{path}")
    request = RequestFactory().get(path, headers=called)
    assert told(request) is None
    assert told(RequestFactory().get(f"{path}0", headers=called)).status_code == 403


@pytest.mark.django_db
def test_new_secret_is_a_matter_of_a_line() -> None:
    partner = Partner.objects.create(name="Harbour", uid="aB3dE6gH")
    printed("new_secret")
    assert Partner.objects.get().secret not in ("", partner.secret)
