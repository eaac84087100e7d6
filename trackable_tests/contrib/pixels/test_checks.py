"""System checks: what keeps images from being made or read is found at start, with its cure."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import checks as django_checks

from trackable.contrib import pixels
from trackable.contrib.pixels import checks, conf
from trackable_tests.contrib.pixels import sites
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls("trackable_tests.contrib.pixels.urls")

#: of a site whose maker has forgotten the URLs of pixels
urlpatterns: list[Any] = []
PAGE = django_settings.BASE_DIR / "docs" / "reference" / "pixels.md"
GOOD = "w7Xk-2mQ_9fRz0LbT4vYc6Ns1HpD8aGe"


def found(check: Any = checks.check_pixels) -> dict[str, Any]:
    return {str(message.id).removeprefix("trackable_pixels."): message for message in check()}


def test_sound_site_passes(settings: Any) -> None:
    assert checks.check_pixels() == []
    settings.PTRACK_SECRET, settings.PTRACK_APP_URL = GOOD, "https://px.example"
    settings.PTRACK_SECRET_FALLBACKS, settings.PTRACK_EXPIRE_AFTER = [GOOD[::-1]], 60
    assert checks.check_pixels() == []
    assert checks.check_deployment() == []


def test_django_runs_them(settings: Any) -> None:
    settings.PTRACK_SECRET = "x" * 33
    messages = django_checks.run_checks(tags=[checks.TAG])
    assert {message.id for message in messages} == {"trackable_pixels.E003"}
    settings.PTRACK_SECRET = "x" * 32
    messages = django_checks.run_checks(tags=[checks.TAG], include_deployment_checks=True)
    assert {message.id for message in messages} == {
        "trackable_pixels.W003",
        "trackable_pixels.W004",
    }


def test_every_id_has_one_row_in_order_and_every_message_a_hint() -> None:
    text = Path(checks.__file__).read_text()
    used = re.findall(r"trackable_pixels\.[EW]\d+", text)
    rows = re.findall(r"^\| `(trackable_pixels\.\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows == sorted(set(used))
    assert text.count("hint=") == len(re.findall(r"\bid=", text))


# names and values


def test_setting_that_nobody_reads_is_found_with_the_one_that_is_meant(settings: Any) -> None:
    settings.PTRACK_SECRETS = "x"
    assert "PTRACK_SECRET?" in found()["E001"].hint


@for_each(
    "name, value",
    [
        *(("PTRACK_EXPIRE_AFTER", value) for value in (0, -1, True, "60", float("nan"), 10**400)),
        *(("PTRACK_MAX_URL_LENGTH", value) for value in (0, -1, True, None, 2000.0, 16_385)),
        *(("PTRACK_APP_URL", value) for value in (7, b"https://x", ["x"], "https://a b", "a?b")),
        *(("PTRACK_SECRET_FALLBACKS", value) for value in (None, "abc", [""], [7], ["x" * 33])),
    ],
)
def test_value_that_cannot_work_is_found(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    messages = found()
    assert set(messages) == {"E002"}
    assert name in messages["E002"].msg


@for_each(
    "name, value",
    [
        *(("PTRACK_EXPIRE_AFTER", value) for value in (None, 1, 0.5, 10**9)),
        *(("PTRACK_MAX_URL_LENGTH", value) for value in (1, 16_384)),
        *(("PTRACK_APP_URL", value) for value in ("", None, "http://x", "https://x:8/a/")),
        *(("PTRACK_SECRET_FALLBACKS", value) for value in ([], (), ["x"], ("x", "y"))),
    ],
)
def test_value_that_works_passes(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    assert found() == {}


@for_each(
    "secret, told",
    [
        ("", "is not set"),
        (None, "of type NoneType"),
        (b"bytes", "of type bytes"),
        ("x" * 33, "has 33 bytes"),
        ("é" * 20, "has 40 bytes"),
    ],
)
def test_secret_that_makes_no_key_is_found_and_not_shown(
    settings: Any, secret: Any, told: str
) -> None:
    settings.PTRACK_SECRET = secret
    message = found()["E003"]
    assert told in message.msg
    assert "token_urlsafe" in message.hint
    assert not secret or str(secret) not in message.msg


def test_missing_secret_is_found(settings: Any) -> None:
    del settings.PTRACK_SECRET
    assert found()["E003"].msg == "PTRACK_SECRET is not set."


def test_fallbacks_are_not_shown(settings: Any) -> None:
    settings.PTRACK_SECRET_FALLBACKS = "confidential"
    assert "confidential" not in str(found()["E002"])


@for_each(
    "url",
    [
        *("localhost", "//px.example", "px.example:80", "ftp://px.example", "[::1"),
        *("http://", "https:///ptrack", "https://:443", "https:/px.example", "http://[::1"),
    ],
)
def test_base_without_a_scheme_or_a_host_is_a_warning(settings: Any, url: str) -> None:
    settings.PTRACK_APP_URL = url
    assert set(found()) == {"W001"}


# the encoder


def test_missing_library_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "nacl" else find(name)
    )
    assert "trackable[pixels]" in found()["E004"].hint


def test_encoder_that_leads_nowhere_is_found(settings: Any) -> None:
    settings.PTRACK_ENCODER = "no.where"
    assert "'no.where'" in found()["E005"].msg


class Half:
    """Encrypts, and does not decrypt."""

    @staticmethod
    def encrypt(*args: Any, **kwargs: Any) -> str:
        return ""


class Whole(Half):
    """Does both, without a secret."""

    decrypt = staticmethod(list)


class Unbound:
    """Works as an instance, and not as a class."""

    def encrypt(self, *args: Any, **kwargs: Any) -> str:
        return ""

    def decrypt(self, data: str) -> Any:
        return [[], {}]


class Later:
    """Is asynchronous."""

    @staticmethod
    async def encrypt(*args: Any, **kwargs: Any) -> str:
        return ""

    @staticmethod
    async def decrypt(data: str) -> Any:
        return [[], {}]


def test_encoder_that_lacks_a_method_is_found(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PTRACK_ENCODER = f"{__name__}.Half"
    assert "has no decrypt" in found()["E005"].msg
    monkeypatch.setattr(pixels, "ptrack_encoder", object())
    assert "has no encrypt and has no decrypt" in found()["E005"].msg


@pytest.mark.parametrize(
    ("encoder", "told"),
    [(Unbound, "does not take what it is called with"), (Later, "is async")],
)
def test_encoder_that_cannot_be_called_is_found(settings: Any, encoder: Any, told: str) -> None:
    settings.PTRACK_ENCODER = f"{__name__}.{encoder.__name__}"
    message = found()["E005"].msg
    assert f"has encrypt, which {told}" in message
    assert f"has decrypt, which {told}" in message


def test_instance_is_an_encoder_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "ptrack_encoder", Unbound())
    assert found() == {}


def test_encoder_of_ones_own_needs_neither_secret_nor_library(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del settings.PTRACK_SECRET
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    settings.PTRACK_ENCODER = f"{__name__}.Whole"
    assert found() == {}


def test_encoder_derived_from_the_built_in_one_needs_both(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del settings.PTRACK_SECRET
    monkeypatch.setattr(pixels, "ptrack_encoder", type("Own", (pixels.PtrackEncoder,), {}))
    assert set(found()) == {"E003"}


# the URLs


@pytest.mark.urls(__name__)
def test_urls_that_are_not_included_are_a_warning() -> None:
    assert set(found()) == {"W002"}


def test_site_without_urls_is_not_asked_for_any(settings: Any) -> None:
    settings.ROOT_URLCONF = None
    assert found() == {}


# deployment


@for_each(
    "secret, told",
    [
        ("testptracksecret", "a manual"),
        ("django-insecure-w7Xk-2mQ_9fRz0", "django-insecure-"),
        ("w7Xk-2mQ_9fRz0LbT", "fewer than 20 characters"),
        ("abcabcabcabcabcabcabcabc", "fewer than 8 different"),
        ("the beginning of the key", "SECRET_KEY"),
        ("part of an older key", "SECRET_KEY"),
    ],
)
def test_secret_that_can_be_guessed_is_a_warning(settings: Any, secret: str, told: str) -> None:
    settings.SECRET_KEY = "the beginning of the key, and more"
    settings.SECRET_KEY_FALLBACKS = ["a part of an older key"]
    settings.PTRACK_APP_URL, settings.PTRACK_SECRET = "https://px.example", secret
    (message,) = checks.check_deployment()
    assert (message.id, told in message.msg) == ("trackable_pixels.W003", True)
    assert secret not in message.msg.replace("django-insecure-", "")


def test_former_secret_that_can_be_guessed_is_a_warning_too(settings: Any) -> None:
    settings.PTRACK_SECRET, settings.PTRACK_APP_URL = GOOD, "https://px.example"
    settings.PTRACK_SECRET_FALLBACKS = [GOOD[::-1], "weak"]
    (message,) = checks.check_deployment()
    assert message.msg.startswith("PTRACK_SECRET_FALLBACKS[1] ")


def test_secret_that_makes_no_key_is_not_judged(settings: Any) -> None:
    settings.PTRACK_SECRET, settings.PTRACK_SECRET_FALLBACKS = b"weak", None
    settings.PTRACK_APP_URL = "https://px.example"
    assert checks.check_deployment() == []


def test_mails_without_a_host_are_a_warning(settings: Any) -> None:
    settings.PTRACK_SECRET, settings.SITE_ID = GOOD, 1
    assert set(found(checks.check_deployment)) == {"W004"}
    with sites.installed():
        assert found(checks.check_deployment) == {}


def test_sites_of_which_none_is_the_current_one_are_a_warning(settings: Any) -> None:
    settings.PTRACK_SECRET = GOOD
    with sites.installed():
        assert "SITE_ID" in found(checks.check_deployment)["W004"].hint


def test_empty_secret_key_keeps_no_check_from_its_turn(settings: Any) -> None:
    settings.SECRET_KEY, settings.PTRACK_SECRET = "", GOOD[:10]
    assert set(found(checks.check_deployment)) == {"W003", "W004"}


def test_every_setting_is_checked() -> None:
    others = {"PTRACK_ENCODER", "PTRACK_SECRET"}
    assert {conf.PREFIX + name for name in conf.DEFAULTS} == {*checks.RULES, *others}
