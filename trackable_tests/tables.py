"""Tables: one test for many rows, which tells of each row that fails.

``parametrize`` makes a test of each row, and a test costs far more than a row does: use it where
fixtures differ, or where a row takes long.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import wraps
from typing import Any

import pytest
from django.core import mail
from django.db import connections, transaction
from django.test import Client

from trackable import conf, notices, spiders

Test = Callable[..., None]

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlist = _short.maxdict = _short.maxtuple = 100


def for_each(names: str, rows: Iterable[Any]) -> Callable[[Test], Test]:
    """Run a test for each row, with arguments of these names, comma-separated.

    What a row does to the settings, the database, the mails, the outbox, the log, the cookies of
    clients, and by ``monkeypatch`` is undone before the next; other fixtures are shared by all.
    """
    keys = [name.strip() for name in names.split(",")]
    table = [dict(zip(keys, row if len(keys) > 1 else [row], strict=True)) for row in rows]
    assert table, f"There is no row of {names}."

    def decorate(test: Test) -> Test:
        taken = inspect.signature(test).parameters
        assert {*keys} <= {*taken}, f"{test.__name__} does not take all of {names}."

        @wraps(test)
        def go_through(*, request: pytest.FixtureRequest, **fixtures: Any) -> None:
            if "request" in taken:
                fixtures["request"] = request
            failures = []
            for row in table:
                try:
                    with apart(request, fixtures) as own:
                        test(**own, **row)
                except (Exception, pytest.fail.Exception) as error:
                    error.add_note(f"Row: {_short.repr(row)}")
                    failures.append(error)
            if failures:
                message = f"{len(failures)} of {len(table)} rows fail"
                raise BaseExceptionGroup(message, failures)

        go_through.__signature__ = _signature(taken, keys)  # type: ignore[attr-defined]
        return go_through

    return decorate


def _signature(taken: Mapping[str, inspect.Parameter], keys: list[str]) -> inspect.Signature:
    """Return what a test takes but the columns, and the request."""
    own = [parameter for name, parameter in taken.items() if name not in {*keys, "request"}]
    request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY)
    return inspect.Signature([*own, request])


@contextmanager
def apart(request: pytest.FixtureRequest, fixtures: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a row its fixtures as the row before found them."""
    notices.forget()
    spiders.forget()
    with ExitStack() as stack:
        stack.callback(conf.forget)
        stack.enter_context(_settings_kept(request.getfixturevalue("settings")))
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block:
                stack.enter_context(_rolled_back(connection.alias))
        if "caplog" in request.fixturenames:
            request.getfixturevalue("caplog").clear()
        for client in _clients(fixtures):
            stack.enter_context(_as_it_was(client))
        for outbox in (getattr(mail, "outbox", []), fixtures.get("outbox", [])):
            outbox.clear()
        if "monkeypatch" in fixtures:
            fixtures = {
                **fixtures,
                "monkeypatch": stack.enter_context(pytest.MonkeyPatch.context()),
            }
        yield fixtures


@contextmanager
def _settings_kept(settings: Any) -> Iterator[None]:
    count = len(settings._to_restore)
    try:
        yield
    finally:
        while len(settings._to_restore) > count:
            settings._to_restore.pop().disable()


@contextmanager
def _rolled_back(alias: str) -> Iterator[None]:
    atomic = transaction.atomic(using=alias)
    atomic._from_testcase = True  # type: ignore[attr-defined]  # and not one that is durable
    with atomic:
        yield
        transaction.set_rollback(True, using=alias)


def _clients(fixtures: dict[str, Any]) -> Iterator[Client]:
    """Find the clients among fixtures, and those that fixtures ask with."""
    for value in fixtures.values():
        for client in (value, getattr(value, "client", None)):
            if isinstance(client, Client):
                yield client


@contextmanager
def _as_it_was(client: Client) -> Iterator[None]:
    """Have a client load the middleware of the row, and forget its cookies."""
    cookies = deepcopy(client.cookies)
    client.handler._middleware_chain = None
    try:
        yield
    finally:
        client.cookies = cookies
