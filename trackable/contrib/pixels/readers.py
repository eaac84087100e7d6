"""Readers: who fetched an image of a mail, by what the request says of itself.

A *person*: a mail reader or browser. A *proxy*, which fetches images for a mailbox, some when its
owner opens the mail and some when it arrives. Or a *scanner*: what looks at mails for safety's
sake, and all that the core takes for a program: previews of links, search engines and other
crawlers, libraries, and whoever names nothing that a person holds in the hand. Who imitates a
browser is a person: Microsoft's servers where they say nothing of themselves, and Apple's relays
by their addresses, whose list is long and changes.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from django.http import HttpRequest

from trackable import crawlers

PERSON: Final = "person"
PROXY: Final = "proxy"
SCANNER: Final = "scanner"
KINDS: Final = (PERSON, PROXY, SCANNER)

#: Characters of an agent that are looked at, and kept: with the entries below at most some 5 MB.
MAX_LENGTH: Final = 500
CACHED_KINDS: Final = 2048

#: What proxies say, in lower case; each with where it is told of.
PROXIES: Final = (
    # Whoever calls itself so: GoogleImageProxy (matomo-org/device-detector#5359), YahooMailProxy
    # (help.yahoo.com, SLN28749), hey.com/imageproxy (www.hey.com/image-proxy), SeznamEmailProxy
    # and Rambler's ImageProxy (matomo-org/device-detector#5668 and #5700).
    r"(?:image|mail)[-_ ]?proxy",
    r"\bvia ggpht\.com",
    # Gmail before it shows a mail: www.gmass.co/blog/false-opens-in-gmail. The browser of 2015
    # that it imitates ends one word earlier.
    r"\bedge/12\.246 mozilla/5\.0$",
    # Apple's Mail Privacy Protection: documentation.mailgun.com, "Open and click bot detection",
    # and ua-parser/uap-core#509. Mail that is not protected says more.
    r"^mozilla/5\.0$",
    r"\bfastmailua\b",  # www.fastmail.com/policies/bots
    r"\bvia secureurl\.fwdcdn\.com",  # ukr.net: matomo-org/device-detector#5700
    r"\byandeximageresizer/",  # yandex.com/bots: makes pictures fit for Yandex's services
    r"\bshortwave image fetcher",  # a mail reader, on the list of crawler-user-agents
)

#: What scanners say, in lower case, who may name a browser besides.
SCANNERS: Final = (
    r"\bgoogle-safety\b",  # developers.google.com, "Google's special-case crawlers"
    r"\bgooglemessages/",  # previews in text messages: www.braze.com/docs, "bot click filtering"
    r"^microsoft exchange/",  # a mail server, not Outlook: www.gmass.co, in its list of false opens
    # Makers of filters for mail, where an agent names one. Barracuda Sentinel is told of by
    # www.braze.com/docs, the others by senders who list the agents of false opens. None promises
    # to say its name, and most imitate browsers.
    r"\b(?:barracuda|cisco ?secure ?email|cisco umbrella|cloudmark|fireeye|forcepoint|opendns)",
    r"\b(?:forti(?:guard|mail)|hornetsecurity|ironport|mailscanner|messagelabs|mimecast|rspamd)",
    r"\b(?:proofpoint|safelinks|sophos|spamassassin|symantec|trellix|trend ?micro|websense)",
)

#: Headers in which a browser says that nobody has asked for the image yet.
PURPOSES: Final = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")


def kind_of_request(request: HttpRequest) -> str:
    """Return who made a request: ``PERSON``, ``PROXY`` or ``SCANNER``."""
    purposes = [str(request.META.get(name, "")) for name in PURPOSES]
    return kind_of(request.META.get("HTTP_USER_AGENT"), purpose=" ".join(purposes))


def kind_of(user_agent: str | None, *, purpose: str = "") -> str:
    """Return who has a user agent; ``purpose`` is what its headers of that name say.

    Who has none is a scanner: every mail reader has one. Takes anything that a visitor may send.
    """
    kind = _kind_of_agent((user_agent or "")[:MAX_LENGTH])
    ahead = re.search("prefetch|preview", purpose[:MAX_LENGTH].lower())
    return SCANNER if kind == PERSON and ahead else kind


@lru_cache(CACHED_KINDS)
def _kind_of_agent(agent: str) -> str:
    said = agent.strip().lower()
    if said in ("", "-"):
        return SCANNER
    if _any_of(PROXIES).search(said):
        return PROXY
    is_program = _any_of(SCANNERS).search(said) or crawlers.crawler_pattern(agent) is not None
    return SCANNER if is_program else PERSON


@cache
def _any_of(expressions: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(expressions))
