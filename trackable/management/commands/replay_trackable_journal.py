"""Sends again whatever segments this machine has kept."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from trackable import broker, settling
from trackable.management import arguments, journals
from trackable.status.words import counted


class Command(BaseCommand):
    help = (
        "Send again every segment that this machine has kept, as after the loss of a broker's"
        " queues or of a database's last commits. What is counted already is recognised."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            type=arguments.moment,
            default=0.0,
            metavar="TIME",
            help="only what was emitted, shipped or folded since: 90m, 12h, 7d, or a date and time",
        )

    def handle(self, *, since: float, verbosity: int, **options: Any) -> None:
        directory = journals.usable()
        number = settling.replay(directory, since)
        done = "to be read again by the next fold, which"
        if broker.is_configured():
            journals.ship(directory)
            done = "sent again; the next fold"
        if verbosity:
            self.stdout.write(f"{counted(number, 'segment')} {done} knows what is counted.")
