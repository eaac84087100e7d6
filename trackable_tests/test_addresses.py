"""Addresses: of whom a request is, through proxies that are trusted or not; and anonymised."""

from typing import Any

from django.test import RequestFactory

from trackable import addresses
from trackable_tests.tables import for_each


def address_of(remote: str, forwarded: str | None = None) -> str | None:
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    found = addresses.of_request(RequestFactory().get("/", REMOTE_ADDR=remote, **headers))
    return None if found is None else str(found)


def test_without_trusted_proxies_it_is_the_connection_that_counts() -> None:
    assert address_of("203.0.113.9", "198.51.100.1") == "203.0.113.9"


@for_each(
    "remote, forwarded, found",
    [
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("198.51.100.1", "6.6.6.6", "198.51.100.1"),
        ("10.0.0.1", "<script>", None),
        ("10.0.0.1", "198.51.100.1, unknown", None),
        ("", "198.51.100.1", None),
        ("10.0.0.1", "1.1.1.1," * 5000 + "198.51.100.1", "198.51.100.1"),
    ],
)
def test_only_what_trusted_proxies_say_is_believed(
    remote: str, forwarded: str | None, found: str | None, settings: Any
) -> None:
    settings.TRACKABLE_TRUSTED_PROXIES = ["10.0.0.0/8", "::1"]
    assert address_of(remote, forwarded) == found


def test_a_proxy_at_a_socket_file_can_be_trusted(settings: Any) -> None:
    settings.TRACKABLE_TRUSTED_PROXIES = ["unix"]
    assert address_of("", "6.6.6.6, 198.51.100.1") == "198.51.100.1"
    assert address_of("", None) is None


@for_each(
    "address, left",
    [
        ("198.51.100.77", "198.51.100.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::1", "::"),
        ("2002:c633:644d::1", "2002:c633:6400::"),
    ],
)
def test_anonymised_addresses_lack_the_last_octet_or_80_bits(address: str, left: str) -> None:
    assert str(addresses.anonymised(addresses.ip_address(address))) == left


@for_each("value", ["10.0.0.1", ["10.0.0.1/8"], ["example.org"], [7], None])
def test_what_is_no_list_of_networks_is_refused(value: Any) -> None:
    assert not addresses.are_networks(value)


def test_lists_of_networks_are_accepted() -> None:
    assert addresses.are_networks(("10.0.0.0/8", "::1", "unix"))
