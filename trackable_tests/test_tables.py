"""Tables: each row is tried, and each that fails is told."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.test import Client

from trackable import conf
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page


def test_each_row_that_fails_is_told(request: pytest.FixtureRequest) -> None:
    @for_each("number, is_even", [(1, True), (2, True), (3, True)])
    def odd(number: int, is_even: bool) -> None:
        assert (number % 2 == 0) is is_even

    with pytest.raises(BaseExceptionGroup, match="2 of 3 rows fail") as raised:
        odd(request=request)
    notes = [error.__notes__ for error in raised.value.exceptions]
    assert notes == [[f"Row: {{'is_even': True, 'number': {number}}}"] for number in (1, 3)]


def test_raises_that_does_not_is_told(request: pytest.FixtureRequest) -> None:
    @for_each("text", ["", "a"])
    def refused(text: str) -> None:
        with pytest.raises(IndexError):
            text[0]

    with pytest.raises(BaseExceptionGroup, match="1 of 2 rows fail"):
        refused(request=request)


tried: list[tuple[str, int]] = []


@for_each("letter", ["a", "b"])
@for_each("number", [1, 2])
def test_tables_multiply(letter: str, number: int, request: pytest.FixtureRequest) -> None:
    assert request.node.name == "test_tables_multiply"
    tried.append((letter, number))
    assert len(tried) < 4 or sorted(tried) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


@pytest.mark.django_db
@for_each("slug", ["a", "a"])
def test_row_finds_what_the_row_before_found(
    settings: Any, monkeypatch: pytest.MonkeyPatch, client: Client, slug: str
) -> None:
    assert not hasattr(Page, "told")
    assert (conf.get("LEDGER_HORIZON"), mail.outbox) == (7 * 24 * 3600, [])
    assert (dict(client.cookies), Page.objects.count()) == ({}, 0)
    settings.TRACKABLE_LEDGER_HORIZON = 1
    monkeypatch.setattr(Page, "told", True, raising=False)
    client.cookies["a"] = "b"
    mail.mail_admins("a", "b")
    Page.objects.create(title=slug, slug=slug)
    assert conf.get("LEDGER_HORIZON") == 1


def test_names_that_a_test_does_not_take_are_refused() -> None:
    with pytest.raises(AssertionError, match="does not take all of a, b"):
        for_each("a, b", [(1, 2)])(lambda a: None)
    with pytest.raises(AssertionError, match="no row"):
        for_each("a", [])
