"""The encoder: reads what django-ptrack wrote and what it wrote itself, and nothing else."""

import base64
import json
import string
from pathlib import Path
from typing import Any

import nacl.secret
import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.contrib import pixels
from trackable.contrib.pixels import PtrackDecryptionError, PtrackEncoder, conf
from trackable.contrib.pixels.encoder import encoder_in_force
from trackable_tests.tables import for_each

#: what django-ptrack 3.0.0 has encrypted, first of all in its own tests
RECORDED = json.loads((Path(__file__).parent / "ptrack.json").read_text(encoding="utf-8"))
FROM_PTRACK = [(each["secret"], each["data"], each["content"]) for each in RECORDED]
ALPHABET = set(string.ascii_letters + string.digits + "-_")

SCALARS = st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"é'), inner, max_size=3),
    max_leaves=5,
)
KEYWORDS = st.dictionaries(st.text("abc_é", min_size=1), VALUES, max_size=2)
MANY = examples(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read_by_ptrack(data: str, secret: str) -> Any:
    """Decrypt as django-ptrack does."""
    box = nacl.secret.SecretBox((secret + "{" * (32 - len(secret))).encode())
    return json.loads(box.decrypt(base64.urlsafe_b64decode(data.encode())).decode())


# what is encrypted


def test_encrypt_decrypt_roundtrip() -> None:
    encoded_data = PtrackEncoder.encrypt(my_data="hello")
    assert isinstance(encoded_data, str)
    assert PtrackEncoder.decrypt(encoded_data) == [[], {"my_data": "hello"}]


@for_each("secret, data, content", FROM_PTRACK)
def test_what_ptrack_encrypted_is_decrypted(
    settings: Any, secret: str, data: str, content: Any
) -> None:
    settings.PTRACK_SECRET = secret
    assert PtrackEncoder.decrypt(data) == content
    assert PtrackEncoder.decrypt(data.encode()) == content


@MANY
@given(args=st.lists(VALUES, max_size=3), kwargs=KEYWORDS)
def test_arguments_come_back_and_ptrack_reads_them(
    settings: Any, args: list[Any], kwargs: dict[str, Any]
) -> None:
    data = PtrackEncoder.encrypt(*args, **kwargs)
    assert PtrackEncoder.decrypt(data) == [args, kwargs]
    assert read_by_ptrack(data, settings.PTRACK_SECRET) == [args, kwargs]


@for_each("length", range(7))
def test_text_needs_neither_quoting_nor_padding(length: int) -> None:
    data = PtrackEncoder.encrypt("x" * length)
    assert set(data) <= ALPHABET
    assert len(data) % 4 == 0


def test_no_two_texts_are_alike() -> None:
    assert len({PtrackEncoder.encrypt("same") for _ in range(100)}) == 100


def test_any_name_is_one_of_a_keyword() -> None:
    names = ["self", "args", "kwargs", "encoded_data", "cls", "request", ""]
    kwargs = {name: 1 for name in names}
    assert PtrackEncoder.decrypt(PtrackEncoder.encrypt(**kwargs)) == [[], kwargs]


# what is not


@for_each("place", [0, 23, 24, 39, 40, 50])
def test_one_bit_that_is_wrong_is_noticed(place: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(PtrackEncoder.encrypt("some", "arguments")))
    raw[place] ^= 1
    with pytest.raises(PtrackDecryptionError):
        PtrackEncoder.decrypt(base64.urlsafe_b64encode(raw))


def test_every_beginning_of_a_text_is_refused() -> None:
    data = PtrackEncoder.encrypt("some", "arguments")
    for length in range(len(data)):
        with pytest.raises(PtrackDecryptionError):
            PtrackEncoder.decrypt(data[:length])


@for_each(
    "data",
    [
        *("", "=", "thisisnotencryptedata", "a" * 10_000, "ä" * 80, "\ud800", "\0" * 80),
        *("%41" * 30, "a b" * 30, "+/" * 40, "{}", "[[], {}]", "⁴" * 80, "a" * 80 + "\n"),
    ],
)
def test_anything_else_is_refused_as_a_value_error(data: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        PtrackEncoder.decrypt(data)


@for_each("plain", [b"", b"no json", b"\xff", b"[" * 9000, b"9" * 5000])
def test_what_is_encrypted_and_no_json_is_refused(settings: Any, plain: bytes) -> None:
    box = nacl.secret.SecretBox(settings.PTRACK_SECRET.encode().ljust(32, b"{"))
    with pytest.raises(PtrackDecryptionError, match="no JSON"):
        PtrackEncoder.decrypt(base64.urlsafe_b64encode(box.encrypt(plain)))


# what happens to addresses on their way


PADDED = FROM_PTRACK[0][1]


@for_each("padding", ["", "=", "==", "%3D", "%3d", "=3D", "=3d"])
def test_padding_may_be_cut_off_or_quoted(settings: Any, padding: str) -> None:
    settings.PTRACK_SECRET = "testptracksecret"
    assert PtrackEncoder.decrypt(PADDED.rstrip("=") + padding) == FROM_PTRACK[0][2]


@for_each("tail", ["===", "=a", "%3", "3D", "=3", "%3D%3D%3D", " ", "\n", "&amp;"])
def test_what_is_no_padding_is_refused(settings: Any, tail: str) -> None:
    settings.PTRACK_SECRET = "testptracksecret"
    with pytest.raises(PtrackDecryptionError):
        PtrackEncoder.decrypt(PADDED.rstrip("=") + tail)


def test_letters_are_never_passed_over() -> None:
    data = PtrackEncoder.encrypt("x")
    for other in "+/ .!\n%é":
        with pytest.raises(PtrackDecryptionError):
            PtrackEncoder.decrypt(f"{data[:8]}{other}{data[8:]}")


def test_case_matters() -> None:
    with pytest.raises(PtrackDecryptionError):
        PtrackEncoder.decrypt(PtrackEncoder.encrypt("x" * 20).lower())


# secrets


@for_each("secret", ["x", "y" * 31, "z" * 32, "é" * 16, "\ud800", "{"])
def test_secret_has_up_to_32_bytes(settings: Any, secret: str) -> None:
    settings.PTRACK_SECRET = secret
    assert PtrackEncoder.decrypt(PtrackEncoder.encrypt(1)) == [[1], {}]


@for_each("secret", ["", "z" * 33, "é" * 17, b"bytes", None, 70077, ["x"]])
def test_what_is_no_secret_is_refused_with_the_cure(settings: Any, secret: Any) -> None:
    settings.PTRACK_SECRET = secret
    for attempt in (PtrackEncoder.encrypt, PtrackEncoder.decrypt):
        with pytest.raises(ImproperlyConfigured, match=r"PTRACK_SECRET .*token_urlsafe") as caught:
            attempt(FROM_PTRACK[1][1])
        assert not secret or str(secret) not in str(caught.value)


def test_secret_that_is_not_set_is_told(settings: Any) -> None:
    del settings.PTRACK_SECRET
    with pytest.raises(ImproperlyConfigured, match=r"PTRACK_SECRET is not set\. Set it to"):
        PtrackEncoder.encrypt(1)


def test_former_secrets_still_decrypt(settings: Any) -> None:
    data = PtrackEncoder.encrypt("before")
    settings.PTRACK_SECRET_FALLBACKS = ["older still", settings.PTRACK_SECRET]
    settings.PTRACK_SECRET = "the new one"
    assert PtrackEncoder.decrypt(data) == [["before"], {}]


def test_only_the_secret_of_now_encrypts(settings: Any) -> None:
    settings.PTRACK_SECRET_FALLBACKS = ["the former one"]
    data = PtrackEncoder.encrypt("now")
    assert read_by_ptrack(data, settings.PTRACK_SECRET) == [["now"], {}]


def test_secret_that_was_dropped_decrypts_no_more(settings: Any) -> None:
    data = PtrackEncoder.encrypt("before")
    settings.PTRACK_SECRET = "the new one"
    with pytest.raises(PtrackDecryptionError):
        PtrackEncoder.decrypt(data)


@for_each("fallbacks", ["abc", b"abc", {"abc": 1}, None, 7])
def test_former_secrets_that_are_no_list_are_refused(settings: Any, fallbacks: Any) -> None:
    settings.PTRACK_SECRET_FALLBACKS = fallbacks
    settings.PTRACK_SECRET, secret = "a", settings.PTRACK_SECRET
    forged = PtrackEncoder.encrypt("forged")  # with a letter of the string
    settings.PTRACK_SECRET = secret
    with pytest.raises(ImproperlyConfigured, match="PTRACK_SECRET_FALLBACKS must be a list"):
        PtrackEncoder.decrypt(forged)
    assert PtrackEncoder.decrypt(PtrackEncoder.encrypt("whole")) == [["whole"], {}]


@for_each("bad", ["", "x" * 33, None, b"bytes", 7])
def test_former_secret_that_makes_no_key_keeps_no_other_from_its_turn(
    settings: Any, caplog: pytest.LogCaptureFixture, bad: Any
) -> None:
    data = PtrackEncoder.encrypt("before")
    settings.PTRACK_SECRET_FALLBACKS = [bad, settings.PTRACK_SECRET]
    settings.PTRACK_SECRET = "the new one"
    for _ in range(3):
        assert PtrackEncoder.decrypt(data) == [["before"], {}]
    (record,) = caplog.records
    assert "PTRACK_SECRET_FALLBACKS[0] is passed over" in record.getMessage()
    assert not bad or str(bad) not in caplog.text


def test_without_pynacl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nacl.secret", None)
    with pytest.raises(ImproperlyConfigured, match=r"install trackable\[pixels\]"):
        PtrackEncoder.encrypt(1)


# other encoders


class Plain:
    """An encoder that encrypts nothing."""

    @staticmethod
    def encrypt(*args: Any, **kwargs: Any) -> str:
        return json.dumps([args, kwargs])

    @staticmethod
    def decrypt(data: str) -> Any:
        return json.loads(data)


class Other(Plain):
    """Another one."""


def test_the_built_in_encoder_is_the_default() -> None:
    assert encoder_in_force() is pixels.PtrackEncoder is pixels.ptrack_encoder


def test_encoder_is_replaced_by_a_setting(settings: Any) -> None:
    settings.PTRACK_ENCODER = f"{__name__}.Plain"
    assert encoder_in_force() is Plain


def test_attribute_replaces_the_encoder_and_wins(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PTRACK_ENCODER = f"{__name__}.Plain"
    monkeypatch.setattr(pixels, "ptrack_encoder", Other)
    assert encoder_in_force() is Other


@for_each("path", ["", "nowhere", "no.where", f"{__name__}.Missing", None, 7])
def test_path_that_leads_nowhere_is_told(settings: Any, path: Any) -> None:
    settings.PTRACK_ENCODER = path
    with pytest.raises(ImproperlyConfigured, match="PTRACK_ENCODER cannot be imported"):
        encoder_in_force()


def test_default_is_the_path_of_the_built_in_encoder() -> None:
    assert f"{PtrackEncoder.__module__}.{PtrackEncoder.__name__}" == conf.DEFAULT_ENCODER
