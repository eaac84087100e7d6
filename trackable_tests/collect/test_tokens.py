"""Tokens: what counts for which counter, signed, and the same for everybody."""

import time
from typing import Any

import pytest
from django.core.signing import Signer
from django.test.utils import isolate_apps

import trackable
from trackable import messaging
from trackable.collect import tokens
from trackable.collect.tokens import BadToken, read, token_of
from trackable.exceptions import TrackableError, UnknownField
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageParentData,
    PageTotals,
    PageVisitors,
)

PAGE = Page(pk=5)
CELLS = ["testapp.PageData", "testapp.Page", "5", "views", None]


def sign(cells: Any) -> str:
    return Signer(salt=tokens.SALT).sign_object(cells)


def test_a_token_says_what_an_emit_would_write() -> None:
    download = Download(title="manual")
    download._state.adding = False
    for obj, data_cls in (
        (PAGE, PageData),
        (PAGE, PageTotals),
        (PAGE, PageParentData),
        (download, DownloadData),
        (Link(code="ü 'x\n"), LinkData),
    ):
        wanted = read(token_of(obj, "views", data_cls))
        assert not wanted.is_unique
        said = messaging.key_of(wanted.obj, wanted.field, wanted.data_cls)
        assert said == messaging.key_of(obj, "views", data_cls)


def test_a_token_may_be_of_a_distinct_count() -> None:
    assert token_of(PAGE, "visitors") == token_of(PAGE, "visitors", PageVisitors)
    assert read(token_of(PAGE, "visitors")).is_unique
    assert not read(token_of(PAGE, "views", PageVisitors)).is_unique


def test_a_token_is_the_same_for_everybody_and_always() -> None:
    assert token_of(PAGE, "views") == token_of(Page(pk=5), "views", PageData)
    assert token_of(PAGE, "views") != token_of(PAGE, "views", PageTotals)


@isolate_apps("trackable_tests.testapp")
def test_a_token_names_the_class_of_the_object_as_a_proxy_alone_may_be_counted() -> None:
    class Chapter(Page):
        class Meta:
            proxy = True
            app_label = "testapp"

    site = trackable.TrackableSite("fresh")
    site.register(Chapter, PageData)
    assert messaging.stand_in(Chapter, "5", "views", PageData).pk == "5"
    assert token_of(Chapter(pk=5), "views", PageData) != token_of(PAGE, "views", PageData)


def test_what_is_changed_in_a_token_makes_it_bad() -> None:
    token = token_of(PAGE, "views")
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(BadToken, match="bad token"):
            read(changed)


def test_a_token_of_another_use_of_the_secret_is_bad() -> None:
    with pytest.raises(BadToken, match="bad token"):
        read(Signer(salt="other").sign_object(CELLS))
    with pytest.raises(BadToken, match="bad token"):
        read(sign({"other": "version"}))


def test_a_former_secret_still_reads(settings: Any) -> None:
    token = token_of(PAGE, "views")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert read(token).obj.pk == "5"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(BadToken):
        read(token)


def test_what_the_code_has_no_longer_is_unknown() -> None:
    for cells in (
        ["testapp.Gone", "testapp.Page", "5", "views", None],
        ["testapp.Visit", "testapp.Page", "5", "views", None],
        ["testapp.PageData", "testapp.Gone", "5", "views", None],
        ["testapp.PageData", "testapp.Link", "5", "views", None],
        ["testapp.PageData", "testapp.Page", "5", "gone", None],
    ):
        with pytest.raises(BadToken, match="unknown counter"):
            read(sign(cells))


def test_an_age_ends_tokens_after_one_to_two_times_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACKABLE_COLLECT_MAX_AGE = 100
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    first = token_of(PAGE, "views")
    monkeypatch.setattr(time, "time", lambda: 1099.0)
    assert token_of(PAGE, "views") == first
    monkeypatch.setattr(time, "time", lambda: 1199.0)
    assert token_of(PAGE, "views") != first
    assert read(first).field == "views"
    monkeypatch.setattr(time, "time", lambda: 1200.0)
    with pytest.raises(BadToken, match="expired token"):
        read(first)


def test_with_an_age_tokens_without_one_are_over(settings: Any) -> None:
    token = token_of(PAGE, "views")
    settings.TRACKABLE_COLLECT_MAX_AGE = 100
    with pytest.raises(BadToken, match="expired token"):
        read(token)


def test_mistakes_of_the_program_raise() -> None:
    with pytest.raises(UnknownField):
        token_of(PAGE, "no_such")
    with pytest.raises(TrackableError, match="save it before counting"):
        token_of(Page(), "views")
    with pytest.raises(BadToken, match="more than 2048 bytes"):
        token_of(Link(code="x" * 2000), "views")
