"""Which user agents are programs, by the built-in patterns alone."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from trackable import crawlers
from trackable.crawlers import (
    NO_DEVICE,
    PatternSet,
    crawler_pattern,
    listed_entries,
    plain_text,
    trie_expression,
)
from trackable_tests.tables import for_each

DATA = Path(__file__).parent / "data"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0"
)
PHONE = "Mozilla/5.0 (Linux; Android 13; {}) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari"


def agents(name: str) -> list[str]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_at_most_one_person_in_two_hundred_is_taken_for_a_crawler() -> None:
    people = agents("people.txt")
    wrong = {agent: found for agent in people if (found := crawler_pattern(agent))}
    assert len(wrong) <= len(people) / 200, wrong


def test_above_nine_crawlers_in_ten_are_caught() -> None:
    crawlers = agents("crawlers.txt")
    missed = [agent for agent in crawlers if crawler_pattern(agent) is None]
    assert len(missed) < len(crawlers) / 10, missed


def test_what_the_package_gives_as_examples_is_caught() -> None:
    examples = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry["instances"]]
    missed = [agent for agent in examples if crawler_pattern(agent) is None]
    assert len(missed) < len(examples) / 100, missed


def test_the_name_on_the_list_is_told() -> None:
    assert crawler_pattern("SemrushBot/7") == "S[eE][mM]rushBot"
    assert crawler_pattern("Mozilla/5.0 (compatible; bingbot/2.0)") == "bingbot"


def test_a_crawler_on_no_list_is_known_by_what_it_says() -> None:
    assert crawler_pattern(f"{EDGE} NeverSeenCrawler/1.0") == "crawl"
    assert crawler_pattern(f"{EDGE} (compatible; Acme; +https://acme.example)") == "web address"
    assert crawler_pattern(f"{EDGE} (ops@acme.example)") == "e-mail address"
    assert (
        crawler_pattern("Mozilla/5.0 (compatible; Acme; Windows NT)")
        == "compatible with no browser"
    )


@for_each("agent", ["acme", "acme/1.0", "Mozilla/5.0 acme", "7", "' OR 1=1 --"])
def test_what_names_no_browser_and_no_device_is_a_program(agent: str) -> None:
    assert crawler_pattern(agent) == NO_DEVICE


@for_each(
    "agent",
    [
        "Lotus-Notes/6.0; Windows-NT",
        "Mozilla/4.0 (compatible; Lotus-Notes/5.0; Windows-NT)",
        "Postbox/7.0.60",
        "Airmail/5.6 (Mac OS X)",
        "eMClient/9.2.1222.0",
        "The Bat! (v9.3)",
    ],
)
def test_a_mail_reader_is_a_person(agent: str) -> None:
    assert crawler_pattern(agent) is None


@for_each("agent", ["Mozilla/5.0", "Mozilla/4.0", "Mozilla"])
def test_a_bare_mozilla_is_a_person(agent: str) -> None:
    assert crawler_pattern(agent) is None


@for_each(
    "model", ["CUBOT NOTE 21", "CUBOT_P20", "HTC Butterfly", "Expanse", "Fever", "K", "Scanner X"]
)
def test_the_name_of_a_telephone_is_no_evidence(model: str) -> None:
    assert crawler_pattern(PHONE.format(model)) is None


def test_a_crawler_on_a_telephone_is_a_crawler() -> None:
    assert crawler_pattern(PHONE.format("Nexus 5X") + " (compatible; Googlebot/2.1)")
    assert crawler_pattern(PHONE.format("Nexus 5X; compatible; AcmeBot/1.0"))


def test_the_build_of_a_telephone_on_the_list_is_not_used() -> None:
    patterns = {entry["pattern"] for entry in listed_entries()}
    assert not patterns & {r"AP3A\.240617\.008", "Viber", "MetaIAB Facebook"}
    assert len(patterns) > 0.9 * len(CRAWLER_USER_AGENTS_DATA)


@for_each(
    "agent",
    [
        "Current " * 125,
        "Spider" * 166,
        "a@" * 500,
        "a" * 1000,
        "@" + "a-" * 499,
        "android 1" * 111,
        "android (1" * 100,
        "(ecosia " * 125,
        "compatible;" * 90,
        "(" * 1000,
        "\\" * 1000,
        " \t\r\n" * 250,
        "\x00\ud800\U0001f577" * 333,
    ],
)
def test_a_hostile_agent_gets_a_verdict(agent: str) -> None:
    found = crawler_pattern(agent)
    assert found is None or isinstance(found, str)


def test_a_trie_finds_what_an_alternation_finds() -> None:
    words = ["bot", "bots", "a.b", "a", "(x", "xyz", "xy", "ü"]
    trie, plain = re.compile(trie_expression(words)), re.compile("|".join(map(re.escape, words)))
    for text in ("robots", "acb", "b.a", "(xyz)", "xz", "Grüße", "", "nothing"):
        assert bool(trie.search(text)) == bool(plain.search(text)), text


def test_an_empty_set_finds_nothing() -> None:
    assert PatternSet({}).find("anything") is None


def test_an_escaped_text_is_told_from_an_expression() -> None:
    assert plain_text(r"Daum\/") == "Daum/"
    assert plain_text(r"seostar\.co") == "seostar.co"
    assert [plain_text(text) for text in ("^curl", "[wW]get", r"a\d", "a|b", "a.b")] == [None] * 5


def test_every_text_is_found_by_the_expression_that_it_stands_for() -> None:
    for entry in listed_entries():
        text = plain_text(entry["pattern"])
        assert text is None or re.search(entry["pattern"], text), entry["pattern"]


def test_a_broken_package_leaves_the_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(crawlers, "listed_entries", lambda: [{"pattern": "(broken"}])
    monkeypatch.setattr(crawlers, "_listed", cache(crawlers._listed.__wrapped__))
    assert [crawler_pattern(agent) for agent in ("Googlebot/2.1", EDGE)] == ["bot", None]
    assert len(caplog.records) == 1


def test_nothing_is_read_or_compiled_on_import() -> None:
    program = (
        "import sys; from trackable import crawlers, spiders;"
        "assert 'crawleruseragents' not in sys.modules;"
        "assert not any(each.cache_info().currsize for each in (crawlers._listed, crawlers._words,"
        " crawlers._devices, crawlers._systems, crawlers._personal))"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)
