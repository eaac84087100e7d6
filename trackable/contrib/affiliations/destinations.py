"""Destinations: what a partner's URL says, taken apart once, so that nobody reads it otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from trackable.exceptions import TrackableError

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
#: Below it only the two of the web: what listens there else may take a request for a command.
FIRST_FREE_PORT: Final = 1024
MAX_URL_LENGTH: Final = 4000
#: Spaces, line ends and what else is not seen; half characters; and what some take for a slash.
UNFIT: Final = re.compile(r"[\x00-\x20\x7f-\xa0\ud800-\udfff\\]")
LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
#: A last part that makes of a host a number, as C's libraries read it: 127.1, 0x7f000001.
NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
MAX_HOST_LENGTH: Final = 253
#: The one standard of international names makes others of these than the other does.
AMBIGUOUS: Final = re.compile("[\u00df\u03c2\u200c\u200d]")
#: What stands for itself in a path or a query; the rest is percent-encoded.
SAFE: Final = "%/:?@!$&'()*+,;=-._~[]|"


class Refused(TrackableError):  # noqa: N818
    """The URL must not be called: correct the partner's subscription, or see the settings."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a URL leads. ``host`` is a name, or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host, if that is an address and no name."""
        return _address(self.host)

    @property
    def authority(self) -> str:
        """The host, and the port if it is not the scheme's: the header ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL as it is called, which is what is signed."""
        return f"{self.scheme}://{self.authority}{self.target}"


def parse(url: str) -> Destination:
    """Take a URL apart. Raises ``Refused``, with the reason, if it is not to be called as it is."""
    if len(url) > MAX_URL_LENGTH:
        raise Refused("the URL is too long")
    if UNFIT.search(url):
        raise Refused("the URL has spaces, backslashes or control characters in it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Refused("this is no URL") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise Refused("the URL is neither http nor https")
    if "@" in parts.netloc:
        raise Refused("the URL has a user name in it")
    host = _cleaned(host, is_bracketed="[" in parts.netloc)
    port = _checked(DEFAULT_PORTS[parts.scheme] if port is None else port)
    return Destination(parts.scheme, host, port, _target(parts))


def _cleaned(host: str, *, is_bracketed: bool) -> str:
    """Return a host in ASCII, in small letters, without a dot at its end."""
    if is_bracketed:
        found = _address(host)
        if found is None or "%" in host:
            raise Refused("the host is no address without a zone")
        return str(found)
    if AMBIGUOUS.search(host):
        raise Refused("the host is to be written in ASCII: xn--...")
    try:
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise Refused("the host is no name") from error
    labels = name.split(".")
    if len(name) > MAX_HOST_LENGTH or not all(map(LABEL.fullmatch, labels)):
        raise Refused("the host is no name")
    if NUMBER.fullmatch(labels[-1]) and _address(name) is None:
        raise Refused("the host is an address in an odd spelling")
    return name


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _checked(port: int) -> int:
    if port < FIRST_FREE_PORT and port not in DEFAULT_PORTS.values():
        raise Refused(f"port {port} is not one of the web's")
    return port


def _target(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return quote(f"{parts.path or '/'}{query}", safe=SAFE)
