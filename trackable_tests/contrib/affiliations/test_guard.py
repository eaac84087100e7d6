"""Only addresses that anybody may reach are called, unless a setting says otherwise."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_address
from typing import Any

import pytest

from trackable.contrib.affiliations import guard
from trackable.contrib.affiliations.destinations import Refused, parse
from trackable.contrib.affiliations.guard import Unresolved, is_public
from trackable_tests.contrib.affiliations.conftest import Names
from trackable_tests.tables import for_each

PUBLIC = [
    "8.8.8.8",
    "1.0.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "168.63.129.15",
    "2606:4700:4700::1111",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "::ffff:8.8.8.8",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2001:20::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@for_each("address", PUBLIC)
def test_public_address_is_known(address: str) -> None:
    assert is_public(ip_address(address))


@for_each("address", NOT_PUBLIC)
def test_address_that_is_not_public_is_known(address: str) -> None:
    assert not is_public(ip_address(address))


def addresses_of(url: str, timeout_seconds: float = 5.0) -> tuple[str, ...]:
    return guard.addresses_of(parse(url), timeout_seconds=timeout_seconds)


@for_each("host", ["169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "[fd00::1]"])
def test_address_in_a_url_is_refused(host: str) -> None:
    with pytest.raises(Refused, match="not public"):
        addresses_of(f"http://{host}/")


def test_address_in_a_url_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert addresses_of("http://8.8.8.8/") == ("8.8.8.8",)


def test_localhost_is_refused() -> None:
    with pytest.raises(Refused, match=r"127\.0\.0\.1|::1"):
        addresses_of("http://localhost/")


def test_name_of_a_private_address_is_refused(names: Names) -> None:
    names["metadata.example"] = [["169.254.169.254"]]
    with pytest.raises(Refused, match=r"metadata\.example is at 169\.254\.169\.254"):
        addresses_of("http://metadata.example/")


@for_each("private", ["127.0.0.1", "fe80::1", "::ffff:10.0.0.1"])
def test_one_private_address_among_public_ones_is_refused(names: Names, private: str) -> None:
    names["both.example"] = [["8.8.8.8", "2606:4700:4700::1111", private]]
    with pytest.raises(Refused, match="not public"):
        addresses_of("http://both.example/")


def test_private_address_behind_many_public_ones_is_refused(names: Names) -> None:
    names["many.example"] = [[*(f"8.8.8.{n}" for n in range(100)), "10.0.0.1"]]
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        addresses_of("http://many.example/")


def test_each_address_is_given_once_and_not_too_many_are(names: Names) -> None:
    names["twice.example"] = [["8.8.8.8", "8.8.4.4", "8.8.8.8"]]
    names["many.example"] = [[f"8.8.8.{n}" for n in range(100)]]
    assert addresses_of("http://twice.example/") == ("8.8.8.8", "8.8.4.4")
    assert len(addresses_of("http://many.example/")) == guard.MAX_ADDRESSES


@for_each("host", ["127.0.0.1", "[::1]", "inside.example"])
def test_setting_allows_private_addresses(names: Names, settings: Any, host: str) -> None:
    settings.AFFILIATE_CALLBACK_ALLOW_PRIVATE = True
    names["inside.example"] = [["10.0.0.1"]]
    assert len(addresses_of(f"http://{host}/")) == 1


@for_each("error", [socket.gaierror(-2, "unknown"), UnicodeError(), OSError()])
def test_name_that_is_not_known_may_be_known_later(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(Unresolved, match=r"partner\.example was not resolved$"):
        addresses_of("http://partner.example/")


def test_name_without_addresses_is_not_resolved(names: Names) -> None:
    names["partner.example"] = [[]]
    with pytest.raises(Unresolved):
        addresses_of("http://partner.example/")


def test_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: ended.wait(60) and [])
    try:
        with pytest.raises(Unresolved, match="in time"):
            addresses_of("http://partner.example/", timeout_seconds=0.05)
    finally:
        ended.set()
