"""Who fetched an image: told by what the request says, and a person wherever that is not known."""

import gzip
import time
from pathlib import Path

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from trackable import crawlers
from trackable.contrib.pixels import readers
from trackable.contrib.pixels.readers import PERSON, PROXY, SCANNER, kind_of, kind_of_request
from trackable_tests.tables import for_each

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "data"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/118.0.0.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/42.0.2311.135 Safari/537.36 Edge/12.246"
)


def agents(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def of_log(path: Path) -> list[str]:
    """Return the agents of an access log in Apache's combined format, each once."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as log:
        return list(dict.fromkeys(line.rstrip().rsplit('"', 2)[1] for line in log if '" "' in line))


# people


@for_each("agent", agents(HERE / "mail_readers.txt"))
def test_mail_readers_are_people(agent: str) -> None:
    assert kind_of(agent) == PERSON


def test_people_are_people_but_for_those_whom_apple_hides() -> None:
    others = {agent for agent in agents(DATA / "people.txt") if kind_of(agent) != PERSON}
    assert others == {"Mozilla/5.0"}


def test_who_is_a_person_to_the_spider_filter_in_a_real_log_is_one_here() -> None:
    found = of_log(DATA / "access_excerpt.log.gz")
    people = [agent for agent in found if crawlers.crawler_pattern(agent) is None]
    assert len(people) > 100
    assert {kind_of(agent) for agent in people if agent != "Mozilla/5.0"} == {PERSON}


# proxies


@for_each(
    "agent",
    [
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com)",
        f"{EDGE} Mozilla/5.0",
        "Mozilla/5.0",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        f"hey.com/imageproxy {CHROME} Safari/537.36",
        f"{CHROME} Safari/537.36 FastmailUA/1.0",
        "Mozilla/5.0 SeznamEmailProxy/2.0.174",
        "RamblerMail/6.0 (incompatible; ImageProxy/6.0)",
        "Mozilla/5.0 (Windows NT 6.1) Gecko/20100101 Firefox/24.0 (via secureurl.fwdcdn.com)",
        "Mozilla/5.0 (compatible; YandexImageResizer/2.0; +http://yandex.com/bots)",
        "Shortwave Image Fetcher",
    ],
)
def test_proxies_of_mailboxes_are_known(agent: str) -> None:
    assert kind_of(agent) == PROXY
    assert kind_of(agent.upper()) == PROXY


def test_mail_that_apple_does_not_protect_is_a_persons() -> None:
    mail = (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    )
    assert [kind_of(mail), kind_of("Mozilla/5.0"), kind_of(" Mozilla/5.0 ")] == [
        PERSON,
        PROXY,
        PROXY,
    ]


def test_the_browser_that_gmail_imitates_is_a_persons() -> None:
    assert kind_of(EDGE) == PERSON
    assert kind_of(f"{EDGE} Mozilla/5.0 and more") == PERSON


def test_nothing_on_the_list_of_crawlers_is_a_proxy_but_what_calls_itself_one() -> None:
    examples = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry["instances"]]
    found = [agent for agent in examples if kind_of(agent) == PROXY]
    named = ("Proxy", "FastmailUA", "YandexImageResizer", "Shortwave")
    assert found
    assert [agent for agent in found if not any(name in agent for name in named)] == []


# scanners


@for_each("agent", [None, "", " ", "-", "\t"])
def test_who_says_nothing_is_a_scanner(agent: str | None) -> None:
    assert kind_of(agent) == SCANNER


@for_each(
    "agent",
    [
        "Barracuda Sentinel (EE)",
        "Proofpoint URL Defense",
        "Mozilla/5.0 (compatible; Mimecast)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
        f"{CHROME} Safari/537.36 (compatible; Google-Safety; +http://www.google.com/bot.html)",
        "GoogleMessages/20",
        "Microsoft Exchange/15.20 (Windows NT 10.0; Win64; x64)",
        "Cisco Secure Email",
        "TrendMicro",
        "Trend Micro Email Security",
        "rspamd-3.8",
        "AppEngine-Google; (+http://code.google.com/appengine; appid: s~virustotalcloud)",
        f"{CHROME} Safari/537.36 Google-Safety",
        f"{CHROME} Mobile Safari/537.36 GoogleMessages/20",
        f"{CHROME} Safari/537.36 Proofpoint",
        "Microsoft Exchange/15.20 (Windows NT 10.0; Microsoft Outlook 16)",
    ],
)
def test_who_looks_at_mails_for_safety_is_a_scanner(agent: str) -> None:
    assert kind_of(agent) == SCANNER


@for_each(
    "agent",
    [
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slack-ImgProxy (+https://api.slack.com/robots)",
        "WhatsApp/2.23.20.0 A",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "TelegramBot (like TwitterBot)",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "Iframely/1.3.1 (+https://iframely.com/docs/about)",
        "Twitterbot/1.0",
    ],
)
def test_previews_of_links_are_scanners(agent: str) -> None:
    assert kind_of(agent) == SCANNER


@for_each(
    "agent",
    [
        "Googlebot/2.1",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0)",
        "Mozilla/5.0 (compatible; Mail.RU_Bot/2.0)",
    ],
)
def test_search_engines_are_scanners(agent: str) -> None:
    assert kind_of(agent) == SCANNER


@for_each("agent", ["x", "Twisted PageGetter", "Amazon CloudFront"])
def test_who_names_nothing_that_a_person_could_hold_is_a_scanner(agent: str) -> None:
    assert kind_of(agent) == SCANNER


@for_each(
    "agent",
    [
        "python-requests/2.31.0",
        "Python/3.9 aiohttp/3.8.1",
        "curl/8.5.0",
        "Wget/1.21.4",
        "Go-http-client/2.0",
        "Java/17.0.2",
        "Apache-HttpClient/4.5.1 (Java/1.8.0_172)",
        "okhttp/4.10.0",
        "AHC/2.1",
        "Ruby",
        "GuzzleHttp/7",
        "lua-resty-http/0.10 (Lua) ngx_lua/10019",
        f"{CHROME.replace('Chrome', 'HeadlessChrome')} Safari/537.36",
        f"{CHROME} Safari/537.36 Puppeteer",
    ],
)
def test_libraries_and_headless_browsers_are_scanners(agent: str) -> None:
    assert kind_of(agent) == SCANNER


def test_nothing_on_the_list_of_crawlers_is_a_person() -> None:
    found = [agent for entry in crawlers.listed_entries() for agent in entry["instances"]]
    assert len(found) > 1000
    assert [agent for agent in found if kind_of(agent) == PERSON] == []


@for_each("agent", agents(DATA / "crawlers.txt"))
def test_crawlers_are_no_people(agent: str) -> None:
    assert kind_of(agent) != PERSON


@for_each("header", ["sec-purpose", "purpose", "x-purpose", "x-moz"])
@for_each("purpose", ["prefetch", "Prefetch;prerender", "preview"])
def test_what_a_browser_loads_ahead_of_people_is_a_scanners(header: str, purpose: str) -> None:
    request = RequestFactory().get("/", headers={"user-agent": FIREFOX, header: purpose})
    assert kind_of_request(request) == SCANNER


def test_what_a_proxy_loads_ahead_stays_a_proxys() -> None:
    assert kind_of("Mozilla/5.0", purpose="prefetch") == PROXY


@for_each("purpose", ["", "fetch", "prerender"])
def test_other_purposes_are_a_persons(purpose: str) -> None:
    assert kind_of(FIREFOX, purpose=purpose) == PERSON


def test_request_is_judged_by_its_agent() -> None:
    requests = [
        RequestFactory().get("/"),
        RequestFactory().get("/", headers={"user-agent": FIREFOX}),
    ]
    assert [kind_of_request(request) for request in requests] == [SCANNER, PERSON]


# whatever is sent


@for_each(
    "agent",
    [
        "a" * 100_000,
        " " * 100_000,
        "via " * 25_000,
        "mozilla/5.0" * 9_000,
        "edge/12.246 " * 8_000,
        "image-" * 16_000,
        "mail_mail-mail proxi" * 5_000,
        "trend " * 16_000,
        "cisco  secure  " * 6_000,
        "android 1;" * 10_000,
        "\x00\ud800\U0001f577" * 33_000,
    ],
)
def test_hostile_agent_is_looked_at_in_a_moment(agent: str) -> None:
    readers._kind_of_agent.cache_clear()
    kind_of(FIREFOX)  # compiles
    before = time.thread_time()
    assert kind_of(agent, purpose=agent) in readers.KINDS
    assert time.thread_time() - before < 1


@given(st.one_of(st.none(), st.text()), st.text())
def test_anything_gets_a_kind(agent: str | None, purpose: str) -> None:
    assert kind_of(agent, purpose=purpose) in readers.KINDS


def test_only_the_beginning_of_an_agent_is_looked_at() -> None:
    assert kind_of(FIREFOX.ljust(readers.MAX_LENGTH) + " Barracuda") == PERSON


def test_kinds_are_remembered_within_a_bound() -> None:
    readers._kind_of_agent.cache_clear()
    for number in range(readers.CACHED_KINDS + 100):
        kind_of(f"{FIREFOX} {number}")
    assert readers._kind_of_agent.cache_info().currsize == readers.CACHED_KINDS
