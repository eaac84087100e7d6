"""The page of what was filtered: patterns, and the buttons that correct them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from trackable import spiders
from trackable.models import FilteredHits, Spider
from trackable.reading.windows import today
from trackable_tests.admin.pages import staff, text_of
from trackable_tests.admin.test_statistics import INLINE, main_of

pytestmark = pytest.mark.django_db

FILTERED = "/admin/trackable/spider/filtered/"
GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
KINDS = Spider.Kind


def hits(pattern: str, number: int, *, days_ago: int = 0) -> None:
    FilteredHits.objects.create(
        content_type=ContentType.objects.get_for_model(Spider),
        object_id=pattern,
        collected_during=today() - timedelta(days=days_ago),
        hits=number,
    )


def page_of(client: Client) -> str:
    return main_of(text_of(client, "spider/filtered/"))


def post(client: Client, **data: Any) -> str:
    response = client.post(FILTERED, data, follow=True)
    assert response.redirect_chain == [(FILTERED, 302)]
    return response.content.decode()


def built_in() -> str:
    spiders.forget()
    found = spiders.verdict(GOOGLE)
    assert found
    return found


def test_patterns_are_shown_by_hits_of_thirty_days(client: Client) -> None:
    hits("often", 40)
    hits("often", 1195, days_ago=29)
    hits("seldom", 3)
    hits("long ago", 9999, days_ago=30)
    text = page_of(client)
    assert text.index("often") < text.index("seldom")
    assert "1235" in text.replace(",", "")
    assert "at most 1,195 a day" in text
    assert "long ago" not in text


def test_patterns_are_escaped_and_nothing_is_inline(client: Client) -> None:
    hits("<script>alert(1)</script>", 3)
    Spider.objects.create(pattern="<b>x</b>", kind=KINDS.EXCEPTION, notes="<i>")
    text = page_of(client)
    assert "<b>" not in text
    assert "<i>" not in text
    assert not INLINE.search(text)


def test_a_built_in_pattern_is_counted_from_now_on(client: Client) -> None:
    hits(pattern := built_in(), 5)
    text = post(client, count=pattern)
    assert "is counted from now on." in text
    spider = Spider.objects.get()
    assert (spider.pattern, spider.kind) == (pattern, KINDS.EXCEPTION)
    spiders.refresh()
    assert spiders.verdict(GOOGLE) is None
    assert f'name="count" value="{pattern}"' not in text


def test_that_is_undone(client: Client) -> None:
    hits(pattern := built_in(), 5)
    post(client, count=pattern)
    assert "keeps out again" in post(client, undo=Spider.objects.get().pk)
    assert not Spider.objects.exists()
    spiders.refresh()
    assert spiders.verdict(GOOGLE) == pattern


@pytest.mark.parametrize("kind", [KINDS.SUBSTRING, KINDS.REGEX])
def test_a_row_of_ones_own_becomes_an_exception_and_is_restored(client: Client, kind: Any) -> None:
    spider = Spider.objects.create(pattern="watch[er]", kind=kind, notes="seen in May")
    hits("watch[er]", 5)
    post(client, count="watch[er]")
    spider.refresh_from_db()
    assert (spider.kind, spider.notes) == (KINDS.EXCEPTION, f"seen in May (was: {kind})")
    post(client, undo=spider.pk)
    spider.refresh_from_db()
    assert (spider.kind, spider.notes) == (kind, "seen in May")


def test_notes_without_room_are_kept_and_the_row_is_undone_by_hand(client: Client) -> None:
    spider = Spider.objects.create(pattern="watcher", notes="x" * 255)
    hits("watcher", 5)
    post(client, count="watcher")
    spider.refresh_from_db()
    assert (spider.kind, spider.notes) == (KINDS.EXCEPTION, "x" * 255)
    assert "It is not known" in post(client, undo=spider.pk)
    assert 'name="undo"' not in page_of(client)


def test_exceptions_of_ones_own_are_not_undone(client: Client) -> None:
    spider = Spider.objects.create(pattern="friend", kind=KINDS.EXCEPTION)
    post(client, undo=spider.pk)
    assert Spider.objects.get().kind == KINDS.EXCEPTION


def test_what_was_not_filtered_is_no_pattern(client: Client) -> None:
    hits(spiders.MISSING, 5)
    for text in ("Mozilla", "", "\0", spiders.MISSING):
        assert "There is no such pattern." in post(client, count=text)
    for key in ("x", "-1", "9" * 30):
        post(client, undo=key)
    assert not Spider.objects.exists()
    assert "TRACKABLE_MISSING_" in page_of(client)


def test_looking_takes_permission_to_view_and_changing_to_change() -> None:
    Spider.objects.create(pattern="watcher")
    for pattern in ("watcher", "Googlebot"):
        hits(pattern, 5)
    assert Client().get(FILTERED).status_code == 302
    client = staff("view_spider")
    assert "<button" not in page_of(client)
    for pattern in ("watcher", "Googlebot"):
        assert client.post(FILTERED, {"count": pattern}).status_code == 403
    done = Spider.objects.create(pattern="done", kind=KINDS.EXCEPTION, notes="(was: built-in)")
    assert client.post(FILTERED, {"undo": done.pk}).status_code == 403
    assert Spider.objects.count() == 2


def test_adding_is_for_built_in_patterns_and_changing_for_rows() -> None:
    Spider.objects.create(pattern="watcher")
    for pattern in ("watcher", "Googlebot"):
        hits(pattern, 5)
    client = staff("view_spider", "add_spider")
    assert client.post(FILTERED, {"count": "watcher"}).status_code == 403
    assert client.post(FILTERED, {"count": "Googlebot"}).status_code == 302
    assert Spider.objects.get(pattern="Googlebot").kind == KINDS.EXCEPTION


def test_nobody_looks_without_permission() -> None:
    assert staff().get(FILTERED).status_code == 403


def test_it_is_linked_from_the_spiders(client: Client) -> None:
    assert f'href="{FILTERED}"' in text_of(client, "spider/")


def test_number_of_queries_does_not_grow(client: Client) -> None:
    numbers = []
    for size in (1, 40):
        for number in range(size):
            hits(f"{size}-{number}", 3)
            Spider.objects.create(pattern=f"{size}-{number}")
        with CaptureQueriesContext(connection) as queries:
            page_of(client)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 8
