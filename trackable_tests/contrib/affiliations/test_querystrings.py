"""Query strings: the key's parts go, and what is left stays as it was."""

from urllib.parse import parse_qsl, quote

from hypothesis import given
from hypothesis import strategies as st

from trackable.contrib.affiliations import querystrings
from trackable.contrib.affiliations.querystrings import MAX_UIDS, strip
from trackable_tests.tables import for_each

KEY = "affiliate_id"
UID = "1234wxyz"

#: query, what is left, values that may be uids
CASES = [
    (f"{KEY}={UID}", "", [UID]),
    (f"page_id=9&{KEY}={UID}&other=3", "page_id=9&other=3", [UID]),
    (f"{KEY}={UID}&a=1", "a=1", [UID]),
    (f"a=1&{KEY}={UID}", "a=1", [UID]),
    (f"z=1&a=2&z=0&{KEY}={UID}", "z=1&a=2&z=0", [UID]),
    (f"{KEY}={UID}&{KEY}=abcd1234", "", [UID, "abcd1234"]),
    (f"{KEY}=&x=1&{KEY}={UID}&{KEY}={UID}", "x=1", [UID]),
    (f"{KEY}", "", []),
    (f"{KEY}=", "", []),
    (f"&{KEY}=", "", []),
    (f"a=&b&=c&&{KEY}={UID}", "a=&b&=c&", [UID]),
    (f"q=a+b%20c&r=%e4%BD%a0&{KEY}={UID}", "q=a+b%20c&r=%e4%BD%a0", [UID]),
    (f"a=1;{KEY}={UID}&{KEY}={UID}&b=;", f"a=1;{KEY}={UID}&b=;", [UID]),
    (f"{KEY}={UID};a=1", "", []),
    (f"affiliate%5Fid={UID}&a=1", "a=1", [UID]),
    ("%61ffiliate_id=1234%77xyz&a=1", "a=1", [UID]),
    (f"a={{b}}|c\\^`&{KEY}={UID}", "a={b}|c\\^`", [UID]),
    (f"next=/x%3F{KEY}%3D{UID}&{KEY}=no", f"next=/x%3F{KEY}%3D{UID}", ["no"]),
    (f"a=%&b=%zz&{KEY}=%zz", "a=%&b=%zz", []),
    (f"{KEY}==&a==", "a==", []),
]


@for_each("query, rest, uids", CASES)
def test_only_the_parts_of_the_key_go(query: str, rest: str, uids: list[str]) -> None:
    found = strip(query.encode(), KEY)
    assert found is not None
    assert (found.rest, [*found.uids]) == (rest, uids)


@for_each(
    "query",
    [
        *("", "a=1", "%", "&&", f"x{KEY}={UID}", f"{KEY}x={UID}", f"{KEY.upper()}={UID}"),
        *(f"next={KEY}", f"a={KEY}={UID}", f"a=1;{KEY}={UID}", f"{KEY}[]={UID}", f"+{KEY}={UID}"),
    ],
)
def test_query_without_the_key_is_left_alone(query: str) -> None:
    assert strip(query.encode(), KEY) is None


@for_each(
    "value",
    [
        *("123456789", "x" * 100_000, "%00", "1234%00", "1234567%0A", "%F0%9F%A6%86", "a b", "a+b"),
        *("%EF%BC%91", "é", "'; --", "..", "a/b", "%"),
    ],
)
def test_what_cannot_be_a_uid_is_none(value: str) -> None:
    found = strip(f"{KEY}={value}".encode(), KEY)
    assert found is not None
    assert found.uids == ()


def test_values_that_are_looked_at_are_few() -> None:
    query = "&".join(f"{KEY}={number}" for number in range(100_000))
    found = strip(query.encode(), KEY)
    assert found is not None
    assert [*found.uids] == [str(number) for number in range(MAX_UIDS)]


def test_bytes_that_no_header_holds_are_encoded() -> None:
    found = strip(f"é=\xa0&a b&c\r\nd&\0&#x&{KEY}=1".encode(), KEY)
    assert found is not None
    assert found.rest == "%C3%A9=%C2%A0&a%20b&c%0D%0Ad&%00&%23x"


def test_key_may_have_any_letters() -> None:
    assert strip(b"a=1&partn%C3%A9r+id=abc", "partnér id").uids == ("abc",)  # type: ignore[union-attr]
    assert strip("partnér%20id=abc".encode(), "partnér id").uids == ("abc",)  # type: ignore[union-attr]
    assert strip(b"[a=1", "[a").rest == ""  # type: ignore[union-attr]


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"#", b"")), st.booleans())
def test_whatever_comes_nothing_raises_and_the_rest_says_the_same(raw: bytes, known: bool) -> None:
    query = b"&".join([raw, f"{KEY}={UID}".encode(), raw][: 2 + known])
    found = strip(query, KEY)
    assert found is not None
    assert found.rest.isascii()
    assert found.rest.isprintable()
    expected = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    left = parse_qsl(found.rest, keep_blank_values=True, encoding="latin-1")
    assert left == [(name, value) for name, value in expected if name != KEY]
    assert strip(found.rest.encode(), KEY) is None


@given(st.lists(st.sampled_from([f"{KEY}=1", KEY, "a=%e9", "b=+", "", "c", ";d=;"]), max_size=9))
def test_others_stay_byte_for_byte_and_in_order(parts: list[str]) -> None:
    query = "&".join(parts)
    found = strip(query.encode(), KEY)
    others = [part for part in parts if not part.startswith(KEY)]
    assert (query if found is None else found.rest) == "&".join(others)


def test_key_of_a_part_is_compared_as_it_is_decoded() -> None:
    spelt = "".join(f"%{ord(letter):02x}" for letter in KEY)
    assert strip(f"{spelt}={quote(UID)}".encode(), KEY) == querystrings.Stripped("", (UID,))
