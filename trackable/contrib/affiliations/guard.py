"""The guard: which addresses may be called, because a partner's URL is somebody's input.

A name is resolved once, and who calls then connects to an address that was looked at here: one
that is resolved again may be another by then.
"""

from __future__ import annotations

import queue
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Thread
from typing import Final

from trackable.contrib.affiliations import conf
from trackable.contrib.affiliations.destinations import Destination, Refused
from trackable.exceptions import TrackableError

#: Not for everybody, though ``is_global`` of one Python or another says so.
NOT_PUBLIC: Final = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # of protocols, and the metadata of a cloud
            "192.88.99.0/24",  # relays of 6to4, given up
            "168.63.129.16/32",  # the host of every virtual machine of a cloud
            "2001::/23",  # of protocols, Teredo among them
            "2001:db8::/32",  # of manuals
            "3fff::/20",
        ),
    )
)
#: All that was ever given to be reached from everywhere.
GIVEN_OUT: Final = ip_network("2000::/3")
#: Addresses of IPv4 in IPv6's clothes, by what they end with.
NAT64: Final = ip_network("64:ff9b::/96")
#: A name with more addresses than this is asked for by its first ones.
MAX_ADDRESSES: Final = 8


class Unresolved(TrackableError):  # noqa: N818
    """The name was not resolved, which may pass: see the partner's DNS, or this machine's."""


def addresses_of(destination: Destination, *, timeout_seconds: float) -> tuple[str, ...]:
    """Return the addresses of a destination, each of which may be connected to.

    Raises ``Refused`` if one of them is not public, unless ``AFFILIATE_CALLBACK_ALLOW_PRIVATE``,
    and ``Unresolved`` if there are none, or none in time.
    """
    literal = destination.address
    found = (str(literal),) if literal else _resolve(destination, timeout_seconds)
    if not conf.get("CALLBACK_ALLOW_PRIVATE"):
        for address in found:
            if not is_public(ip_address(address)):
                raise Refused(f"{destination.host} is at {address}, which is not public")
    return found[:MAX_ADDRESSES]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is one machine's that anybody in the world may reach."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        if address not in GIVEN_OUT:
            return False
    is_listed = any(address in network for network in NOT_PUBLIC)
    return address.is_global and not (address.is_multicast or address.is_reserved or is_listed)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Return the address of IPv4 that what is sent to one of IPv6 ends at."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _resolve(destination: Destination, timeout_seconds: float) -> tuple[str, ...]:
    """Ask for the addresses of a name, in a thread: the system's resolver knows no time-out."""
    answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        answers.put([str(info[4][0]) for info in found])

    Thread(target=ask, name="trackable-resolver", daemon=True).start()
    try:
        found = answers.get(timeout=timeout_seconds)
    except queue.Empty:
        raise Unresolved(f"{destination.host} was not resolved in time") from None
    if not found:
        raise Unresolved(f"{destination.host} was not resolved")
    return tuple(dict.fromkeys(found))
