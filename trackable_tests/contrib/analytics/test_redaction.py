"""Redaction: no e-mail address and no secret survives, and nothing else is lost."""

import re
import time
from typing import Any
from urllib.parse import quote, unquote, urlencode

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.contrib.analytics.redaction import MAX_LENGTH, redact_text, redact_url
from trackable_tests.tables import for_each

BASE = "https://example.com"
MANY = examples(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
#: what somebody would take for an address, who reads a URL without knowing what encodes it
READABLE = re.compile(r"[^\s/?#&=;@]+[@\ufe6b\uff20][^\s/?#&=;@.]+\.[^\s/?#&=;@.]*[^\W\d_]")


def decoded(text: str) -> str:
    """Decode a text until there is nothing left to decode."""
    while (found := unquote(text)) != text:
        text = found
    return text


# e-mail addresses


@for_each(
    "path, redacted",
    [
        ("/unsubscribe/jane@example.com/", "/unsubscribe/(email)/"),
        ("/unsubscribe/jane%40example.com/", "/unsubscribe/(email)/"),
        ("/unsubscribe/jane%2540example.com/", "/unsubscribe/(email)/"),
        ("/unsubscribe/jane%25252540example.com/", "/unsubscribe/(email)/"),
        ("/unsubscribe/%6a%61%6e%65%40%65%78.com", "/unsubscribe/(email)"),
        ("/mailto:jane@example.com", "/(email)"),
        ("/a/jane.doe+tag@mail.example.co.uk/b", "/a/(email)/b"),
        ("/a/jane@b%C3%BCcher.de/", "/a/(email)/"),
        ("/a/jane@bücher.de/", "/a/(email)/"),
        ("/a/jane%40%E4%BE%8B%E3%81%88.%E3%83%86%E3%82%B9%E3%83%88", "/a/(email)"),
        ("/a/%E0%A4%9C@%E0%A4%89%E0%A4%A6%E0%A4%BE.%E0%A4%AD%E0%A4%BE", "/a/(email)"),
        ("/a/jane%EF%BC%A0example.com/", "/a/(email)/"),
        ("/a/jane@example。com/", "/a/(email)/"),
        ("/a/jane@[192.0.2.1]/", "/a/(email)/"),
        ("/a/%22jane%20doe%22@example.com/", "/a/(email)/"),
        ("/?to=jane@example.com&page=2", "/?to=(email)&page=2"),
        ("/?to=jane%40example.com;page=2", "/?to=(email);page=2"),
        ("/?jane@example.com", "/?(email)"),
        ("/?jane%40example.com=1&b", "/?(email)=1&b"),
        ("/?next=%2Fa%3Fto%3Djane%2540example.com", "/?next=(email)"),
        ("/?a=b=jane@example.com", "/?a=(email)"),
        ("/?q=jane%40exa%25%36%64ple.com", "/?q=(email)"),
        ("/?q=jane%25%34%30example.com", "/?q=(email)"),
        ("/a;to=jane@example.com/b", "/(email)/b"),
    ],
)
def test_part_with_an_address_is_replaced(path: str, redacted: str) -> None:
    assert redact_url(BASE + path) == BASE + redacted


def test_at_sign_is_known_however_it_is_spelt() -> None:
    for sign in ("%26%2364%3B", "%26%23x40%3B", "%26commat%3B", "%5Cu0040", "%2526%252364"):
        assert redact_url(f"{BASE}/?q=jane{sign}example.com&p=1") == f"{BASE}/?q=(email)&p=1"
    assert redact_text("Ask jane&#64;example.com now") == "Ask (email) now"


@for_each(
    "path",
    [
        "/@jane/post/",
        "/@jane.doe/",
        "/%40jane.doe/",
        "/packages/react@18.2.0/",
        "/packages/@scope/name@latest/",
        "/a@/b",
        "/a@b/",
        "/100%/sure/",
        "/a%20b/?q=100%25&r=%zz",
        "/?q=a+b&c=&d&&e=%F0%9F%8C%8A",
        "/?utm_source=news&utm_campaign=may",
        "/a?b=c?d=e",
    ],
)
def test_what_is_no_address_stays_as_it_is(path: str) -> None:
    assert redact_url(BASE + path) == BASE + path


def nested(text: str, times: int) -> str:
    for _ in range(times):
        text = quote(text, safe="")
    return text


FORMS = ["/a/{}/b", "/{}", "/?q={}", "/?{}", "/?a=1&q={}&b=2", "/?x=1;{}=2", "/;{}"]


@st.composite
def urls(draw: st.DrawFn) -> tuple[str, str]:
    """An address in some place of a URL, encoded in some way; a bare one as browsers leave it."""
    # Decoded, a name such as %3C would be none.
    email = draw(st.emails().filter(lambda found: unquote(found) == found))
    times = draw(st.integers(0, 12))
    written = nested(email, times) if times else quote(email, safe="@!$'()*,:")
    before, after = draw(st.tuples(st.text("ab1-._", max_size=3), st.sampled_from(["", "-x", "!"])))
    text = before + written + after
    form = draw(st.sampled_from(FORMS))
    return email, BASE + form.format(text)


@MANY
@given(case=urls())
def test_no_address_survives_in_a_url(case: tuple[str, str]) -> None:
    email, url = case
    found = decoded(redact_url(url))
    assert email not in found
    assert not READABLE.search(found)
    assert "(email)" in found


@MANY
@given(
    email=st.emails(),
    times=st.integers(0, 6),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_address_survives_in_a_text(email: str, times: int, before: str, after: str) -> None:
    found = redact_text(f"{before} {nested(email, times)} {after}")
    assert email not in found
    assert email not in decoded(found)


@MANY
@given(text=st.text(max_size=300))
def test_whatever_is_redacted_is_so_for_good(text: str) -> None:
    url = redact_url(BASE + "/" + text)
    assert redact_url(url) == url
    assert redact_text(redact_text(text)) == redact_text(text)


@for_each(
    "text, redacted",
    [
        ("Mail jane@example.com now", "Mail (email) now"),
        ("Mail\tjane%40example.com", "Mail\t(email)"),
        ("<jane@example.com>", "(email)"),
        ("50% off at @jane.doe", "50% off at @jane.doe"),
        ("Nothing here", "Nothing here"),
        ("", ""),
    ],
)
def test_word_with_an_address_is_replaced(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted


# secrets


@for_each(
    "name",
    [
        *("password", "PASSWORD", "user[password]", "new_password", "newPassword", "userpassword"),
        *("token", "access_token", "accessToken", "csrfmiddlewaretoken", "%74oken", "to%256ben"),
        *("key", "api_key", "apiKey", "APIKey", "apikey", "X-Amz-Signature", "sig", "signature"),
        *("sessionid", "PHPSESSID", "jwt", "auth", "client_secret", "email", "e-mail", "phone"),
    ],
)
def test_value_of_a_secret_parameter_is_hidden(name: str) -> None:
    assert redact_url(f"{BASE}/?a=1&{name}=abc&b=2") == f"{BASE}/?a=1&{name}=(redacted)&b=2"


@for_each(
    "name",
    ["q", "page", "keyword", "monkey", "utm_source", "gclid", "author", "signal", "nothing", ""],
)
def test_value_of_another_parameter_is_kept(name: str) -> None:
    assert redact_url(f"{BASE}/?{name}=abc") == f"{BASE}/?{name}=abc"


def test_names_of_secret_parameters_are_chosen(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"redact_parameters": ["Voucher", "tan"]}
    assert redact_url(f"{BASE}/?voucher=1&TAN=2&tannin=3&token=4&giftvoucher=5") == (
        f"{BASE}/?voucher=(redacted)&TAN=(redacted)&tannin=3&token=4&giftvoucher=(redacted)"
    )


@MANY
@given(
    secret=st.text("xyzXYZ0123456789", min_size=8, max_size=40),
    others=st.dictionaries(st.text("abc", max_size=3), st.text(max_size=10), max_size=5),
)
def test_no_secret_survives(secret: str, others: dict[str, str]) -> None:
    query = urlencode({**others, "reset_token": secret, **others})
    assert secret not in redact_url(f"{BASE}/?{query}")


def test_secret_of_a_page_to_go_to_next_is_hidden() -> None:
    for page in (
        "/reset?token=abc",
        "%2Freset%3Ftoken%3Dabc",
        "%252Fr%253Fa%253D1%2526pwd%253Dabc",
    ):
        assert redact_url(f"{BASE}/?next={page}&p=1") == f"{BASE}/?next=(redacted)&p=1"
    deep = "password"
    for _ in range(9):
        deep = "".join(f"%{ord(c):02x}" for c in deep) if len(deep) < 200 else quote(deep)
    assert "abc" not in redact_url(f"{BASE}/?{deep}=abc")


def test_credentials_and_fragment_are_dropped() -> None:
    assert redact_url("https://jane:secret@example.com:8000/a?b#jane@example.com") == (
        "https://example.com:8000/a?b"
    )


@for_each(
    "url", ["https://[::1/", "https://jane%40example.com/", "https://a@b%40c.de/", "http://[x]/"]
)
def test_url_that_cannot_be_read_is_none(url: str) -> None:
    assert redact_url(url) in ("", "http://[x]/")


# long and hostile ones


def test_long_url_is_cut_between_its_parts() -> None:
    url = f"{BASE}/?{'a={}&'.format('1' * 50) * 200}"
    found = redact_url(url)
    assert url.startswith(found)
    assert MAX_LENGTH - 60 < len(found) <= MAX_LENGTH
    for place in range(20):
        long = f"{BASE}/" + "a" * (MAX_LENGTH - 40 + place) + "/jane@example.com"
        assert "jane" not in redact_url(long)


@for_each(
    "part",
    [
        *("@", "a@", "a@b", "a@b.", "1@1.", "a@" + "b." * 30 + "1", "a.", "[", "(@", "\u0903"),
        *("%", "%25", "%2525", "%40", "%%34%30", "%25%32%35", "%2", "%e0%a4"),
        *("/", "&", "?", "=", ";", "&a=@", "Aa", "key", "aA=1&"),
    ],
)
def test_time_is_in_proportion_to_length(part: str) -> None:
    start = time.process_time()
    for text in (part * 100_000, "a@" + part * 100_000, "a" * 4000 + part * 1000):
        redact_url(f"{BASE}/{text}?{text}={text}")
        redact_text(text)
    assert time.process_time() - start < 1
