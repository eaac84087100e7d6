"""Addresses: which one a request came from, and what of it may be kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

from trackable import conf

if TYPE_CHECKING:
    from django.http import HttpRequest

Address = IPv4Address | IPv6Address

#: What is left of an address: the last octet, or the last 80 bits, are gone.
KEPT_BITS: Final = {4: 24, 6: 48}
#: of an address of 6to4, that has one of IPv4 in it from bit 16 on: RFC 3056
KEPT_BITS_OF_6TO4: Final = 40
#: Stands, among the trusted proxies, for one that connects by a socket file and has no address.
UNIX_SOCKET: Final = "unix"
#: Of a header that says more, only the end is looked at.
MAX_HEADER_LENGTH: Final = 2000


def of_request(request: HttpRequest) -> Address | None:
    """Return the visitor's address; ``None`` if it cannot be known.

    That of the connection, unless it is one of ``TRACKABLE_TRUSTED_PROXIES``: then the last one
    in ``X-Forwarded-For`` that is not. What stands before that one, anybody may have written.
    """
    trusted = _networks(tuple(conf.get("TRUSTED_PROXIES")))
    found: Address | None = None
    for text in _hops(request):
        found = _parse(text)
        hop = ip_network(found) if found else None
        if hop is None:
            if text or UNIX_SOCKET not in trusted:
                return None
        elif not any(_is_within(hop, each) for each in trusted):
            return found
    return found


def anonymised(address: Address) -> Address:
    """Return an address without what tells one subscriber from others: see ``KEPT_BITS``."""
    is_6to4 = isinstance(address, IPv6Address) and address.sixtofour is not None
    kept = KEPT_BITS_OF_6TO4 if is_6to4 else KEPT_BITS[address.version]
    return ip_network((address, kept), strict=False).network_address


def are_networks(value: Any) -> bool:
    """Tell whether a value is a list of addresses and networks, or of ``UNIX_SOCKET``."""
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        return False
    try:
        _networks(tuple(value))
    except ValueError:
        return False
    return True


def _hops(request: HttpRequest) -> Iterator[str]:
    """Yield where the request came from, and before that, as each proxy says of the one before."""
    yield request.META.get("REMOTE_ADDR") or ""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")[-MAX_HEADER_LENGTH:]
    if forwarded:
        yield from (hop.strip() for hop in reversed(forwarded.split(",")))


def _parse(text: str) -> Address | None:
    """Return an address; some proxies add a port. One of IPv4 in IPv6's clothes is of IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=16)
def _networks(texts: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(text if text == UNIX_SOCKET else ip_network(text) for text in texts)


def _is_within(hop: Any, network: Any) -> bool:
    if network == UNIX_SOCKET or hop.version != network.version:
        return False
    return bool(hop.subnet_of(network))
