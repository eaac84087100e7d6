"""Which user agents are programs: pure functions of the text, compiled on first use.

Three kinds of evidence, in this order: the names on the list of ``crawler-user-agents``; words
that crawlers, monitors and libraries use of themselves; and the lack of what every browser says,
what it runs on. What a person's device brings along is blanked first: a Cubot is a telephone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

logger = logging.getLogger(__name__)

#: What the verdict says of an agent that names nothing a person could hold in the hand.
NO_DEVICE: Final = "no browser or device"

#: Entries of the list that people's agents have: an Android build, apps with a browser inside.
UNFIT: Final = r"""
    008\/ AP3A\.240617\.008 Asana\/ Blackboard Bluesky\/ Code\/1\. Fluid Goodreads Grammarly\/
    HubSpot Instapaper\/ MetaIAB+Facebook Notion\/ PayPal\/ Sonic Trae\/ Tumblr\/ Viber
"""

#: What people's devices and apps bring along, and would be taken for something else.
PERSONAL: Final = (
    r"android[ /]?[\d.]+;(?: ?[a-z]{2}[-_][a-z]{2};)?[^;()]*",  # up to the model's name
    r"android \(\d[^()]*",
    r"\b(?:cubot|abbott?|talbot)\b|cubot_|viewsonic|mozacfetch|sogoum\w+|sogousearch android",
    r"technology(?: |%20)preview|\(ecosia [^)]*\)|http://bsalsa\.com",
)

#: What only programs say of themselves.
WORDS: Final = """
    crawl spider spyder slurp scrape scraping scrapper scrapy harvest extractor fetch archiv
    monitor uptime probe scan check valid verif audit analys analyz survey research sniff
    measurement synthetic screenshot preview thumbnailer feed webhook unfurl resolver expander
    sitemap domain generator collector indexer headless phantomjs puppeteer playwright selenium
    webdriver wkhtmlto lighthouse pagespeed curl wget python libwww-perl urllib httpclient
    http-client http_request winhttp fasthttp axios aiohttp powershell node.js nodejs go-http
    browserkit phpcrawl nutch nuclei masscan vuln exploit burpcollaborator transcoder inspector
    observatory thumbor dejaclick debugbear functionize neustar browsershots sparkler swcd
    -google google- google+page google+keyword google+search+console google+web google+favicon
    claude-
"""

#: The same as expressions on the agent in lower case, by what the verdict calls them.
SHAPES: Final = {
    "bot": r"bot(?![a-z])|bots\b|\bbot(?!ech)|robot",
    "web address": r"https?://|www\.\w",
    "e-mail address": r"\w@[\w-]+\.[a-z]{2}",
    "rss, seo": r"\b(?:rss|seo|ptst)|rss\b",
    "compatible with no browser": (
        r"compatible;(?! ?(?:u; ?)?(?:abrowse|amiga|antgalio|aol|avantgo|blazer|dillo|ibrowse"
        r"|icab|konqueror|linux|lotus-notes|ms-office|msie|mspie|netpositive|omniweb|polaris|risc|tablet"
        r"|webpositive|windows))"
    ),
}

#: What tells a browser, or what a person holds, wears, drives or looks at.
DEVICES: Final = """
    android iphone ipad ipod ios/ ios; cfnetwork tvos watchos watch+os watch1 apple+tv appletv
    apple+watch applecoremedia dalvik midp cldc symbian series40 series60 nokia samsung
    sonyericsson blackberry bb10 playbook motorola docomo kddi j-phone softbank vodafone palm wap
    up.browser up.link ucweb maui mre/ kaios tizen webos web0s netfront teleca windows+phone
    windows+ce windows+mobile desktop playstation nintendo xbox dreamcast webtv aoltv hbbtv dlna
    hybridcast smart-tv smarttv roku vizio crkey kepler/ amazon;aft amazon+aft youview brightsign
    browser firefox opera opr/ webkit/ msie trident/ iceweasel konqueror omniweb icab galeon amaya
    ibrowse amiga hotjava sleipnir netsurf dillo mosaic emacs lynx elinks links+( w3m
    player music radio podca podki antennapod castbox bullhorn itunes quicktime sonos airplay
    tpapi garmin victorreader foobar2000 audacious _vlc/ osx/ xbmc fban/ fbav/ googleapp/
    goggalaxyclient outlook ms-office microsoft+office/
    airmail barca emclient lotus-notes mailbar postbox superhuman the+bat! windowsmail
"""
OLD_PHONES: Final = {"old telephone": r"^(?:sie|sec|mot|lge?)[-/]|\bios\b"}

#: What a browser says too, but only a browser calls itself Mozilla with it.
SYSTEMS: Final = """
    windows win16 win32 win64 win95 win98 winnt linux x11 mac bsd sunos solaris beos haiku os/2
    risc charon
"""


class PatternSet:
    """Many patterns searched as one: plain texts in a trie, expressions one by one."""

    def __init__(
        self, texts: Mapping[str, str], expressions: Mapping[str, re.Pattern[str]] | None = None
    ) -> None:
        """Take what to call each text and each expression that is found."""
        self._names = dict(texts)
        self._trie = re.compile(trie_expression(texts)) if texts else None
        self._searches = [(name, each.search) for name, each in (expressions or {}).items()]

    def find(self, text: str) -> str | None:
        """Return the name of a pattern that is in the text, or ``None``."""
        found = self._trie.search(text) if self._trie else None
        if found:
            return self._names[found.group()]
        return next((name for name, search in self._searches if search(text)), None)


def trie_expression(texts: Iterable[str]) -> str:
    """Return an expression for any of the texts; their number hardly matters to its cost."""
    trie: dict[str, Any] = {}
    for text in texts:
        node = trie
        for letter in text:
            node = node.setdefault(letter, {})
        node[""] = {}
    return _branches(trie)


def _branches(node: dict[str, Any]) -> str:
    if "" in node:
        return ""
    parts = [re.escape(letter) + _branches(rest) for letter, rest in sorted(node.items())]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def plain_text(pattern: str) -> str | None:
    """Return the text that an expression stands for, if it is nothing but escaped text."""
    if re.search(r"(?<!\\)[\[\](){}*+?|^$.]|\\\w", pattern):
        return None
    return re.sub(r"\\(.)", r"\1", pattern)


def crawler_pattern(agent: str) -> str | None:
    """Return what makes an agent a program's, or ``None`` for a person's."""
    text = _personal().sub(" ", agent)
    lowered = agent.lower()
    return (
        _listed().find(text)
        or _words().find(text.lower())
        or (None if _names_a_device(lowered) else NO_DEVICE)
    )


def _names_a_device(lowered: str) -> bool:
    if _devices().find(lowered):
        return True
    if "mozilla" not in lowered:
        return False
    return bool(_systems().find(lowered) or re.fullmatch(r"mozilla[ /\d.]*", lowered))


def listed_entries() -> list[dict[str, Any]]:
    """Return the entries of ``crawler-user-agents`` that are in use; ``pattern`` is in each."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    unfit = _split(UNFIT)
    return [entry for entry in CRAWLER_USER_AGENTS_DATA if entry["pattern"] not in unfit]


@cache
def _listed() -> PatternSet:
    try:
        texts = {entry["pattern"]: plain_text(entry["pattern"]) for entry in listed_entries()}
        return PatternSet(
            {text: text for text in texts.values() if text},
            {pattern: re.compile(pattern) for pattern, text in texts.items() if not text},
        )
    except Exception:  # a visitor shall not pay for a package that is broken
        logger.exception("The list of crawler-user-agents cannot be used; the words go on alone.")
        return PatternSet({})


@cache
def _words() -> PatternSet:
    return PatternSet(_split(WORDS), _compiled(SHAPES))


@cache
def _devices() -> PatternSet:
    return PatternSet(_split(DEVICES), _compiled(OLD_PHONES))


@cache
def _systems() -> PatternSet:
    return PatternSet(_split(SYSTEMS))


@cache
def _personal() -> re.Pattern[str]:
    return re.compile("|".join(PERSONAL), re.IGNORECASE)


def _split(words: str) -> dict[str, str]:
    spaced = [word.replace("+", " ") for word in words.split()]
    return dict(zip(spaced, spaced, strict=True))


def _compiled(expressions: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile(expression) for name, expression in expressions.items()}
