"""The view: calls the pixels that an address is for, and gives the image to whoever asks."""

import base64
import json
import random
import string
import sys
import time
from typing import Any
from urllib.parse import quote

import nacl.exceptions
import nacl.secret
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.template import engines
from django.test import AsyncClient, Client, RequestFactory
from django.urls import resolve, reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.contrib import pixels as ptrack
from trackable.contrib.pixels import conf
from trackable.contrib.pixels.images import url_of
from trackable.contrib.pixels.payloads import OPTIONS
from trackable.contrib.pixels.views import TRANSPARENT_1_PIXEL_GIF, TrackingPixel
from trackable.gif import TRANSPARENT_GIF
from trackable_tests.contrib.pixels.conftest import Calls
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls("trackable_tests.contrib.pixels.urls")

view = TrackingPixel.as_view()
MANY = examples(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONG = [f"thisisalongtestarg{n}" for n in (1, 2, 3, 4)]

_test_data_params: list[tuple[list[Any], dict[str, Any]]] = [
    (["testarg"], {"testkey1": "testarg1", "testkey2": "testarg2"}),
    (LONG, {f"thisisalongtestkey{n}": f"thisisalongtestkwargvalue{n}" for n in (1, 2)}),
    (["[][][][]]", "$%^&%%^$"], {"one": "[]][]]", "two": "[][][]]"}),
    (["testarg1", "testarg2", "testarg3"], {}),
    ([], {"testkey1": "testarg1", "testkey2": "testarg2"}),
]


def ask(data: str, method: str = "get") -> HttpResponse:
    request = getattr(RequestFactory(), method)("/")
    return view(request, ptrack_encoded_data=data)


def is_image(response: HttpResponse) -> bool:
    return response.status_code == 200 and response.content == TRANSPARENT_GIF


def encrypted(plain: Any) -> str:
    """Encrypt any bytes, or any JSON, as somebody would who knows the secret."""
    plain = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
    box = nacl.secret.SecretBox(b"only for tests of pixels".ljust(32, b"{"))
    return base64.urlsafe_b64encode(box.encrypt(plain)).decode()


# as django-ptrack's own tests have it


def test_pixel_image_is_valid() -> None:
    assert TRANSPARENT_1_PIXEL_GIF.startswith(b"GIF89a")


def test_app_is_accessible(client: Client) -> None:
    from trackable_tests.contrib.pixels.test_encoder import FROM_PTRACK

    url = reverse("ptrack", kwargs={"ptrack_encoded_data": FROM_PTRACK[0][1]})
    assert client.get(url).status_code == 200


def test_random_decrypt_fails(client: Client) -> None:
    url = reverse("ptrack", kwargs={"ptrack_encoded_data": "thisisnotencryptedata"})
    assert client.get(url).status_code == 200


def test_registered_tracker_in_trackers(calls: Calls) -> None:
    assert [type(pixel).__name__ for pixel in ptrack.tracker._registry.values()] == ["Recorder"]


@for_each("args, kwargs", _test_data_params)
def test_registered_tracker_used(
    client: Client, calls: Calls, args: list[Any], kwargs: dict[str, Any]
) -> None:
    calls.clear()
    encrypted_data = ptrack.ptrack_encoder.encrypt(*args, **kwargs)
    client.get(reverse("ptrack", kwargs={"ptrack_encoded_data": encrypted_data}))
    assert calls == [(args, kwargs)]


@for_each("args, kwargs", _test_data_params)
def test_template_tag(
    settings: Any, client: Client, calls: Calls, args: list[Any], kwargs: dict[str, Any]
) -> None:
    calls.clear()
    settings.PTRACK_APP_URL = "localhost"
    given = [f"'{arg}'" for arg in args] + [f"{key}='{value}'" for key, value in kwargs.items()]
    source = f"{{% load ptrack %}}{{% ptrack {' '.join(given)} %}}"
    image = engines["django"].from_string(source).render()
    url = image.removeprefix('<img src="localhost').removesuffix('" width="1" height="1" alt="">')
    client.get(url)
    assert calls == [(args, kwargs)]


def test_what_ptrack_encrypted_calls_the_pixels(settings: Any, calls: Calls) -> None:
    from trackable_tests.contrib.pixels.test_encoder import FROM_PTRACK

    settings.PTRACK_SECRET, data, content = FROM_PTRACK[0]
    assert is_image(ask(data))
    assert calls == [tuple(content)]


# who is called


def test_address_calls_the_pixels_each_time_it_is_asked_for(calls: Calls) -> None:
    data = encrypted([[1], {}])
    for _ in range(3):
        assert is_image(ask(data))
    assert calls == [([1], {})] * 3


@for_each("plain", [[[], {}], [[], {OPTIONS: {}}], [[], {OPTIONS: {"to": "Recorder"}}]])
def test_nobody_is_called_without_arguments(calls: Calls, plain: Any) -> None:
    assert is_image(ask(encrypted(plain)))
    assert calls == []


@for_each("seconds, called", [(-1000, 0), (-1, 0), (1000, 1)])
def test_nobody_is_called_once_an_address_has_expired(
    calls: Calls, seconds: int, called: int
) -> None:
    expires = int(time.time()) + seconds
    assert is_image(ask(encrypted([[1], {OPTIONS: {"expires": expires}}])))
    assert calls == [([1], {})] * called


def test_expired_address_is_refused_whatever_the_setting_says_now(
    settings: Any, calls: Calls
) -> None:
    settings.PTRACK_EXPIRE_AFTER = None
    ask(encrypted([[1], {OPTIONS: {"expires": 5}}]))
    assert calls == []


def test_address_without_expiry_stays_good_whatever_the_setting_says_now(
    settings: Any, calls: Calls
) -> None:
    data = encrypted([[1], {}])
    settings.PTRACK_EXPIRE_AFTER = 1
    ask(data)
    assert len(calls) == 1


def test_only_the_one_that_an_address_is_for_is_called(own_tracker: Any, client: Client) -> None:
    all_calls, addressed = Calls(), Calls()
    own_tracker.register(all_calls.pixel("All"))
    own_tracker.register(addressed.pixel("Addressed", is_addressed=True))
    client.get(url_of([1], {}))
    client.get(url_of([2], {"a": 3}, to="Addressed"))
    client.get(url_of([4], {}, to="Nobody"))
    assert (all_calls, addressed) == ([([1], {})], [([2], {"a": 3})])


def test_pixel_gets_the_request(own_tracker: Any, client: Client) -> None:
    seen: list[Any] = []
    pixel = Calls().pixel(record=lambda self, request, *args: seen.append(request.headers["X-Is"]))
    own_tracker.register(pixel)
    client.get(url_of([1], {}), headers={"X-Is": "here"})
    assert seen == ["here"]


def test_pixel_that_raises_keeps_nobody_from_the_image(
    own_tracker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    own_tracker.register(Calls().pixel(record=lambda self, request, *args: 1 / 0))
    assert is_image(ask(encrypted([[1], {}])))
    assert "Recorder' raised 'ZeroDivisionError'" in caplog.text


# what is answered


def test_image_is_never_cached(calls: Calls) -> None:
    for data in ("", encrypted([[1], {}])):
        response = ask(data)
        assert response["Content-Type"] == "image/gif"
        assert "no-store" in response["Cache-Control"]


def test_head_gets_the_headers_of_the_image_and_calls_nobody(calls: Calls, client: Client) -> None:
    url = url_of([1], {})
    head, get = client.head(url), client.get(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Length"] == get["Content-Length"] == "43"
    assert dict(head.headers) == dict(get.headers)
    assert len(calls) == 1


@for_each("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_other_methods_are_not_allowed_and_not_cached(calls: Calls, method: str) -> None:
    client = Client(enforce_csrf_checks=True)
    response = getattr(client, method)(url_of([1], {}))
    assert (response.status_code, response.content) == (405, b"")
    assert response["Allow"] == "GET, HEAD"
    assert "no-store" in response["Cache-Control"]
    assert calls == []


def test_method_that_nobody_knows_is_not_allowed(client: Client) -> None:
    response = client.generic("BREW", url_of([1], {}))
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


def test_address_without_its_slash_is_answered_at_once(calls: Calls, client: Client) -> None:
    assert is_image(client.get(url_of([1], {}).rstrip("/")))
    assert calls == [([1], {})]


def test_query_string_changes_nothing(calls: Calls, client: Client) -> None:
    assert is_image(client.get(url_of([1], {}) + "?utm_source=mail"))
    assert calls == [([1], {})]


def test_host_that_is_not_allowed_gets_the_image(settings: Any, calls: Calls) -> None:
    settings.ALLOWED_HOSTS = ["other.example"]
    settings.MIDDLEWARE = []
    assert is_image(Client().get(url_of([1], {})))
    assert len(calls) == 1


def test_image_is_served_to_asynchronous_clients_too(calls: Calls) -> None:
    import asyncio

    async def get() -> Any:
        return await AsyncClient().get(url_of([1], {}))

    assert is_image(asyncio.run(get()))
    assert calls == [([1], {})]


@for_each("data", ["a", "a/b", "", "/", "//", "é", "a\nb", "a\n", "\0", "a?b", "%41"])
def test_any_text_is_matched_whole(data: str) -> None:
    path = reverse("ptrack", kwargs={"ptrack_encoded_data": data})
    assert path == f"/ptrack/{quote(data, safe='/')}/"
    assert resolve(f"/ptrack/{data}/").kwargs == {"ptrack_encoded_data": data}


def test_matching_takes_no_longer_than_reading() -> None:
    started = time.process_time()
    for text in ("a" * 1_000_000, "/" * 1_000_000, "/a\n" * 300_000):
        assert is_image(ask(resolve(f"/ptrack/{text}").kwargs["ptrack_encoded_data"]))
    assert time.process_time() - started < 1


# what anybody may ask for


NOT_ARGUMENTS = [
    *(b"", b"\xff\xfe", b"no json", b"[", b"[" * 9000, b'{"a":' * 2000, b"9" * 5000, b"NaN"),
    *(
        None,
        True,
        7,
        "ab",
        {},
        [],
        [1, 2],
        [[], [], []],
        [{}, {}],
        [[], []],
        ["ab", {}],
        [None, {}],
    ),
    *([[1], {"request": 1}], [[1], {"self": 1}], [[1], None], {"args": [1], "kwargs": {}}),
    *([[1], {OPTIONS: options}] for options in (None, [], 7, {"until": 5}, {"expires": "5"})),
    [[1], {OPTIONS: {"expires": 10**400}, "request": 1}],
]


@for_each("plain", NOT_ARGUMENTS)
def test_nobody_is_called_with_what_are_no_arguments(
    calls: Calls, caplog: pytest.LogCaptureFixture, plain: Any
) -> None:
    assert is_image(ask(encrypted(plain)))
    assert (calls, caplog.records) == ([], [])


LETTERS = string.ascii_letters + string.digits + "-_=%/ äé中\0\n\ud800"


def mangled(chance: random.Random, good: str) -> str:
    """Return what may become of an address: cut, changed, lengthened, or something else."""
    place = chance.randrange(1, len(good))
    return chance.choice(
        [
            good[:place],
            good[place:],
            good[:place] + chance.choice("AZaz-_!") * 4 + good[place:],
            good[:place] + chance.choice(LETTERS) + good[place + 1 :] + "A",
            good * chance.randrange(2, 500),
            good.swapcase(),
            "".join(chance.choices(LETTERS, k=chance.randrange(300))),
            base64.urlsafe_b64encode(chance.randbytes(chance.randrange(200))).decode(),
        ]
    )


@pytest.mark.slow
def test_ten_thousand_addresses_get_the_image_and_only_whole_ones_call(
    calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    """Most are malformed, truncated or too long, the others are replayed."""
    chance, request = random.Random(42), RequestFactory().get("/")
    good = ptrack.PtrackEncoder.encrypt("reader", letter=2)
    addresses = [good if n % 10 == 0 else mangled(chance, good) for n in range(10_000)]
    for data in addresses:
        assert is_image(view(request, ptrack_encoded_data=data))
    assert calls == [(["reader"], {"letter": 2})] * addresses.count(good)
    assert len(calls) == 1000
    assert caplog.records == []


def test_what_is_too_long_is_not_even_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(ptrack.PtrackEncoder, "decrypt", lambda data: seen.append(data))
    for length in (conf.MAX_DATA_LENGTH, conf.MAX_DATA_LENGTH + 1, 10_000_000):
        assert is_image(ask("a" * length))
    assert [len(data) for data in seen] == [conf.MAX_DATA_LENGTH]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", OPTIONS, "self", "to", "é"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@MANY
@given(plain=PLAIN | st.tuples(st.lists(PLAIN, max_size=2), PLAIN).map(list) | st.binary())
def test_whatever_was_encrypted_gets_the_image(calls: Calls, plain: Any) -> None:
    calls.clear()
    assert is_image(ask(encrypted(plain)))
    for args, kwargs in calls:
        assert isinstance(args, list)
        assert not {OPTIONS, "self", "request"} & kwargs.keys()


@MANY
@given(path=st.text(max_size=100))
def test_whatever_is_asked_for_gets_the_image(path: str) -> None:
    path = quote(path.encode("utf-8", "surrogatepass"), safe="/=")
    assert is_image(Client().get(f"/ptrack/{path}"))


# what is wrong with the site


@for_each("secret", [None, "", "x" * 33])
def test_without_a_secret_nobody_is_called_and_it_is_logged_once(
    settings: Any, calls: Calls, caplog: pytest.LogCaptureFixture, secret: Any
) -> None:
    data = encrypted([[1], {}])
    settings.PTRACK_SECRET = secret
    for _ in range(5):
        assert is_image(ask(data))
    (record,) = caplog.records
    assert "PTRACK_SECRET" in record.getMessage()
    assert calls == []


def test_without_pynacl_nobody_is_called_and_it_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nacl.secret", None)
    for _ in range(5):
        assert is_image(ask("A" * 80))
    (record,) = caplog.records
    assert "install trackable[pixels]" in record.getMessage()


def encoder(answer: Any) -> type[Any]:
    """Make an encoder that decrypts anything to the same, or raises it."""

    def decrypt(data: str) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return type("Encoder", (), {"encrypt": staticmethod(str), "decrypt": staticmethod(decrypt)})


@for_each(
    "error",
    [
        *(ValueError("x"), UnicodeDecodeError("a", b"", 0, 1, "")),
        *(nacl.exceptions.CryptoError("x"), nacl.exceptions.BadSignatureError("x")),
    ],
)
def test_encoder_may_refuse_what_it_cannot_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(ptrack, "ptrack_encoder", encoder(error))
    assert is_image(ask("anything"))
    assert caplog.records == []


@for_each(
    "error",
    [
        *(KeyError("secret\n"), RecursionError("secret"), MemoryError(), Exception("secret")),
        TypeError("secret"),
    ],
)
def test_encoder_that_raises_anything_else_is_logged_once_without_what_it_says(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(ptrack, "ptrack_encoder", encoder(error))
    for _ in range(5):
        assert is_image(ask("anything"))
    (record,) = caplog.records
    assert record.getMessage() == (
        f"An image's address could not be read: 'the encoder raised {type(error).__name__}'"
    )
    assert "secret" not in caplog.text


def test_pynacl_is_not_loaded_to_know_its_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nacl.exceptions")
    monkeypatch.setattr(ptrack, "ptrack_encoder", encoder(ValueError()))
    assert is_image(ask("anything"))
    assert "nacl.exceptions" not in sys.modules


class Unbound:
    """An encoder whose methods are not static."""

    def encrypt(self, *args: Any, **kwargs: Any) -> str:
        return "x"

    def decrypt(self, data: str) -> Any:
        return [[1], {}]


class Later(Unbound):
    """An encoder that is asynchronous."""

    @staticmethod
    async def decrypt(data: str) -> Any:
        return [[1], {}]


@pytest.mark.parametrize(("encoder", "told"), [(Unbound, "TypeError"), (Later, "is async")])
def test_encoder_that_cannot_be_called_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, encoder: Any, told: str
) -> None:
    monkeypatch.setattr(ptrack, "ptrack_encoder", encoder)
    for _ in range(5):
        assert is_image(ask("anything"))
    (record,) = caplog.records
    assert told in record.getMessage()


@for_each("answer", [None, 7, iter([[], {}]), ([1],), ((1,), {}, {}), object(), "ab"])
def test_encoder_may_answer_anything(
    monkeypatch: pytest.MonkeyPatch, calls: Calls, answer: Any
) -> None:
    monkeypatch.setattr(ptrack, "ptrack_encoder", encoder(answer))
    assert is_image(ask("anything"))
    assert calls == []


def test_encoder_may_answer_tuples(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    monkeypatch.setattr(ptrack, "ptrack_encoder", encoder(((1,), {"a": 2})))
    assert is_image(ask("anything"))
    assert calls == [([1], {"a": 2})]


@for_each("path", ["no.where", "", 7])
def test_encoder_that_is_not_there_is_logged_once(
    settings: Any, caplog: pytest.LogCaptureFixture, path: Any
) -> None:
    settings.PTRACK_ENCODER = path
    for _ in range(5):
        assert is_image(ask("anything"))
    (record,) = caplog.records
    assert "PTRACK_ENCODER cannot be imported" in record.getMessage()


def test_encoder_without_methods_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ptrack, "ptrack_encoder", None)
    assert is_image(ask("anything"))
    assert "AttributeError" in caplog.text


def test_message_about_the_site_is_escaped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    error = ImproperlyConfigured("line\nforged \x1b[31m")
    monkeypatch.setattr(ptrack, "ptrack_encoder", encoder(error))
    ask("anything")
    assert "line\\nforged \\x1b[31m" in caplog.text
