"""Erases what is personal of visitors, by their numbers or by their user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from trackable.contrib.affiliations.erasure import Erasure, erase_visitor
from trackable.management.printing import printable
from trackable.status.words import counted


class Command(BaseCommand):
    help = (
        "Erase what is personal of a visitor whom a partner sent: the user, the page they came to,"
        " and what partners were called with. Totals stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        one = parser.add_mutually_exclusive_group(required=True)
        one.add_argument("visitor_id", nargs="?", type=int, help="the number of the visitor")
        one.add_argument("--user", metavar="NAME", help="all visitors that this user was")
        one.add_argument("--user-id", metavar="KEY", help="the same, by the user's primary key")

    def handle(
        self,
        *,
        visitor_id: int | None = None,
        user: str | None = None,
        user_id: str | None = None,
        verbosity: int = 1,
        **options: Any,
    ) -> None:
        try:
            if visitor_id is None:
                erased = erase_visitor(user=_user(user, user_id))
            else:
                erased = erase_visitor(visitor_id)
        except Error as error:
            raise CommandError(
                f"The database refuses ({printable(error)}). Nothing is erased: see that it runs"
                " and that 'migrate' was run."
            ) from error
        if verbosity:
            self.stdout.write(describe(erased))


def _user(name: str | None, key: str | None) -> Any:
    model: Any = get_user_model()
    manager = model._default_manager
    try:
        return manager.get_by_natural_key(name) if key is None else manager.get(pk=key)
    except (model.DoesNotExist, ValueError, ValidationError) as error:
        raise CommandError("There is no such user.") from error


def describe(erased: Erasure) -> str:
    """Return what was erased, in a line."""
    return (
        f"Erased {counted(erased.visitors, 'visitor')}, with"
        f" {counted(erased.callbacks, 'callback')} and {counted(erased.attempts, 'attempt')}."
    )
