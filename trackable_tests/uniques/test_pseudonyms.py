"""Pseudonyms: what stands for a key until it is folded, and who a visitor is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.test import RequestFactory

from trackable.exceptions import BadKey
from trackable.uniques import visitor_key
from trackable.uniques.pseudonyms import field_cell, parse

IDENTITY = UUID("12345678-1234-5678-1234-567812345678")


def test_the_same_key_is_the_same_pseudonym_whatever_its_type() -> None:
    assert field_cell("visitors", 42, None) == field_cell("visitors", "42", None)
    assert field_cell("visitors", b"42", None) == field_cell("visitors", "42", None)
    assert field_cell("visitors", IDENTITY, None) == field_cell("visitors", str(IDENTITY), None)
    assert field_cell("visitors", "42", None) != field_cell("visitors", "43", None)


def test_a_pseudonym_depends_on_the_secret_key(settings: Any) -> None:
    cells = set()
    for settings.SECRET_KEY in ("one", "other", b"third"):
        cells.add(field_cell("visitors", "42", None))
    assert len(cells) == 3


def test_a_cell_is_read_back() -> None:
    name, pseudonym = parse(field_cell("visitors", "ana@example.com", None))
    assert (name, len(pseudonym)) == ("visitors", 8)


@pytest.mark.parametrize("cell", ["visitors", "visitors:", "visitors:xyz", "v:" + "A" * 16])
def test_what_has_no_pseudonym_is_refused(cell: str) -> None:
    with pytest.raises(BadKey, match="no pseudonym"):
        parse(cell)


@pytest.mark.parametrize("key", [None, "", b"", 1.5, True, ["ana"], object()])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(BadKey, match="key of"):
        field_cell("visitors", key, None)


def test_every_text_is_a_key() -> None:
    for key in ("é", "\ud800", "\0", "x" * 100_000, "a:b"):
        assert len(field_cell("visitors", key, None)) == len("visitors:") + 16


def test_a_visitor_is_an_address_and_an_agent(settings: Any) -> None:
    settings.TRACKABLE_TRUSTED_PROXIES = ["10.0.0.1"]
    factory = RequestFactory(REMOTE_ADDR="10.0.0.1")
    agents, addresses = ("Firefox", "Chrome"), ("192.0.2.1", "192.0.2.2")
    keys = {
        visitor_key(factory.get("/", headers={"X-Forwarded-For": address, "User-Agent": agent}))
        for agent in agents
        for address in addresses
    }
    assert keys == {f"{address} {agent}" for agent in agents for address in addresses}


def test_a_request_without_anything_is_a_visitor_too() -> None:
    request = RequestFactory().get("/")
    request.META.clear()
    assert visitor_key(request)
    assert field_cell("visitors", None, request) == field_cell("visitors", "None ", None)
