"""Sends every model to the database that is being measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Router:
    alias = "postgresql"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return Router.alias

    db_for_write = db_for_read

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        return True


@contextmanager
def using(alias: str) -> Iterator[None]:
    """Have every model in another database meanwhile."""
    before, Router.alias = Router.alias, alias
    try:
        yield
    finally:
        Router.alias = before
