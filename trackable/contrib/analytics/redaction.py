"""Redaction: what visitors write into URLs and titles, without what tells who they are.

A part of a URL in which somebody can read an e-mail address, however it is encoded, is replaced as
a whole; so are the values of parameters whose names say that they are secret. Everything here
takes time in proportion to the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from trackable.contrib.analytics import conf

#: Of a URL that is longer, only the beginning is looked at, and told.
MAX_LENGTH: Final = 4096
MAX_PARAMETERS: Final = 200
#: Who encodes more often than this hides something.
MAX_ROUNDS: Final = 5

EMAIL: Final = "(email)"
HIDDEN: Final = "(redacted)"

AT: Final = re.compile("[@\ufe6b\uff20]")
#: an at sign as HTML and JSON may have it
SPELT: Final = re.compile(r"&(?:#0{0,5}64|#x0{0,5}40|commat);?|\\u0040", re.IGNORECASE)
#: the name of a parameter of a URL that is in a value
INNER: Final = re.compile(r"[?&;]([^?&;=#]+)=")
DOTS: Final = ".\u3002\uff0e\uff61"
#: what a domain's label cannot have in it, beside dots
OUTSIDE: Final = r"\s@\ufe6b\uff20/?#&=;:,()<>\[\]\"\\"
#: An at sign after what may end a name, and before what may be a host. No attempt goes past the
#: next at sign, so all of them together read the text about once.
ADDRESS: Final = re.compile(
    rf"(?<=[^\s@\ufe6b\uff20(\[<])[@\ufe6b\uff20]"
    rf"(?=\[[0-9A-Za-z:.]+\]|(?:[^{OUTSIDE}{DOTS}]++[{DOTS}])+[^\W\d_])"
)
WORD: Final = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: A word as long as this counts at the end of a longer one too, as in ``csrftoken``.
MIN_ENDING_LENGTH: Final = 5
#: where a URL may be cut
SEAM: Final = re.compile("[/?&;=]")


def redact_url(url: str) -> str:
    """Return a URL without addresses, secrets, credentials and fragment; ``""`` if it is none."""
    try:
        parts = urlsplit(_beginning(url))
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    if _tells(host):
        return ""
    return urlunsplit(SplitResult(parts.scheme, host, *_redacted(parts), ""))


def redact_text(text: str) -> str:
    """Return a text without e-mail addresses: words that hold one are replaced."""
    text = text[:MAX_LENGTH]
    if not _may_tell(text):
        return text
    return "".join(EMAIL if _tells(word) else word for word in re.split(r"(\s+)", text))


def _redacted(parts: SplitResult) -> tuple[str, str]:
    path = "/".join(EMAIL if _tells(segment) else segment for segment in parts.path.split("/"))
    if not parts.query:
        return path, ""
    secrets = _secrets(tuple(conf.get("redact_parameters")))
    found = re.split("([&;])", parts.query, maxsplit=MAX_PARAMETERS)[: 2 * MAX_PARAMETERS]
    return path, "".join(_parameter(each, secrets) if each else "" for each in found)


def _parameter(pair: str, secrets: Secrets) -> str:
    name, separator, value = pair.partition("=")
    plain = _plain(name)
    if value and (plain is None or secrets.has(plain) or secrets.are_in(value)):
        value = HIDDEN
    elif _tells(value):
        value = EMAIL
    return f"{EMAIL if _tells(name) else name}{separator}{value}"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is in names that are secret: words, and endings of longer words."""

    words: frozenset[str]
    endings: tuple[str, ...]

    def has(self, name: str) -> bool:
        found = [word.lower() for word in WORD.findall(name)]
        return "".join(found) in self.words or any(
            word in self.words or word.endswith(self.endings) for word in found
        )

    def are_in(self, value: str) -> bool:
        """Tell whether a value is a URL with secrets, such as that of the page to go to next."""
        return any(self.has(name) for name in INNER.findall(_plain(value) or ""))


@lru_cache(maxsize=16)
def _secrets(words: tuple[str, ...]) -> Secrets:
    known = frozenset(word.lower() for word in words)
    return Secrets(known, tuple(word for word in known if len(word) >= MIN_ENDING_LENGTH))


def _tells(text: str) -> bool:
    """Tell whether somebody can read an address in a text, or nobody can say what it hides."""
    if not _may_tell(text):
        return False
    plain = _plain(text)
    return plain is None or ADDRESS.search(plain) is not None


def _may_tell(text: str) -> bool:
    return "%" in text or bool(AT.search(text) or SPELT.search(text))


def _plain(text: str) -> str | None:
    """Return a text without encodings; ``None`` if it was encoded to hide something."""
    for _ in range(MAX_ROUNDS):
        before, text = text, SPELT.sub("@", unquote(text))
        if before == text:
            return text
    return None


def _beginning(url: str) -> str:
    """Return as much of a URL as is looked at, in whole parts: half an address is one too."""
    if len(url) <= MAX_LENGTH:
        return url
    seams = [match.start() for match in SEAM.finditer(url[:MAX_LENGTH])]
    return url[: seams[-1]] if seams else ""
