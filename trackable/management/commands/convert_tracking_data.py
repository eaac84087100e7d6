"""Converts the counters of another model: adds them to a data class, each record once."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from trackable import sites
from trackable.conversion.converter import Converter
from trackable.conversion.plan import PERIOD_FIELD, BadConversion, Match, Plan
from trackable.exceptions import TrackableError
from trackable.management import arguments, progress
from trackable.management.printing import printable
from trackable.management.stopping import Stop

MAX_SHOWN: Final = 5


class Command(BaseCommand):
    help = (
        "Add the counters of a model, in batches, to a data class. Run it again to go on where it"
        " was interrupted: no record is added twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="old_app.Model", help="where the counters are")
        parser.add_argument("data_class", metavar="app.Model", help="the data class to add to")
        self._add_mapping(parser)
        parser.add_argument(
            "--order-by", metavar="FIELD,...", help="take the records in this order (default: key)"
        )
        parser.add_argument(
            "--max-records",
            type=arguments.positive_number,
            metavar="N",
            help="take the first N records only, those taken before included",
        )
        parser.add_argument(
            "--batch-size", type=arguments.positive_number, default=1000, metavar="N"
        )
        parser.add_argument("--dry-run", action="store_true", help="do all of it, and undo it")
        parser.add_argument(
            "--skip-unfit", action="store_true", help="leave out records that do not fit"
        )
        parser.add_argument(
            "--forget",
            action="store_true",
            help="begin with the first record again, after what was converted has been removed",
        )

    def _add_mapping(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--update-fields",
            required=True,
            metavar="OLD:NEW,...",
            help="which old field is added to which counter; OLD alone if they are namesakes",
        )
        parser.add_argument(
            "--key-fields",
            metavar=f"OLD:{PERIOD_FIELD}",
            help="which old field tells the time, for data classes with a period",
        )
        parser.add_argument(
            "--link-field",
            default="parent",
            metavar="OLD.OLD",
            help="the attribute of a record that is the object counted for; may be a chain",
        )
        parser.add_argument(
            "--match-spec",
            metavar="OLD:app.Model[:FIELD]",
            help="find the object by a value of the record instead",
        )

    def handle(self, *, verbosity: int, dry_run: bool, **options: Any) -> None:
        self.verbosity = verbosity
        self.shown = 0
        try:
            converter = Converter(
                plan_of(options),
                batch_size=options["batch_size"],
                max_records=options["max_records"],
                dry=dry_run,
                skips_unfit=options["skip_unfit"],
                on_unfit=self._on_unfit,
            )
            self._run(converter, converter.start(forget=options["forget"]))
        except BadConversion as error:
            raise CommandError(f"{printable(error)} {self.done}".strip()) from error
        except TrackableError as error:
            raise CommandError(printable(error)) from error
        except Error as error:
            raise CommandError(f"The database refuses: {printable(error)} {self.done}") from error

    done = ""

    def _run(self, converter: Converter, left: int) -> None:
        with Stop() as stop, progress.bar(total=left, unit=" records") as bar:
            self.done = how_to_go_on(converter)
            for number in converter.run():
                bar.update(number)
                self.done = how_to_go_on(converter)
                if stop.requested:
                    raise CommandError(f"Interrupted. {self.done}", returncode=130)
        if self.verbosity:
            self.stdout.write(describe(converter))

    def _on_unfit(self, text: str) -> None:
        self.shown += 1
        if self.verbosity and self.shown <= MAX_SHOWN:
            self.stderr.write(f"Left out. {printable(text)}")


def plan_of(options: dict[str, Any]) -> Plan:
    """Return the plan that the options of the command describe."""
    data_cls = arguments.data_class(options["data_class"])
    keys = pairs(options["key_fields"])
    wrong = [new for _, new in keys if new != PERIOD_FIELD]
    if wrong or len(keys) > 1:
        raise CommandError(
            f"--key-fields takes OLD:{PERIOD_FIELD} alone: the object, which is the rest of the"
            " key, is found by --link-field or --match-spec."
        )
    updates = pairs(options["update_fields"])
    for _, counter in updates:
        arguments.counter(data_cls, counter)
    return Plan(
        arguments.model(options["source"]),
        data_cls,
        updates,
        link=options["link_field"],
        match=match_of(options["match_spec"], data_cls),
        period=keys[0][0] if keys else None,
        order_by=tuple(filter(None, (options["order_by"] or "").split(","))),
    )


def pairs(text: str | None) -> tuple[tuple[str, str], ...]:
    """Return the pairs in ``old:new,old:new``; a name alone stands for two that are the same."""
    found = []
    for part in filter(None, (text or "").split(",")):
        old, _, new = part.strip().partition(":")
        found.append((old, new or old))
    return tuple(found)


def match_of(text: str | None, data_cls: Any) -> Match | None:
    """Return what ``attribute:app.Model[:field]`` says; the field is the attribute's namesake."""
    if text is None:
        return None
    attribute, *rest = text.split(":")
    if len(rest) not in (1, 2):
        raise CommandError(
            f"{text!r} is no --match-spec: write OLD:app.Model or OLD:app.Model:FIELD."
        )
    model = arguments.model(rest[0])
    if data_cls not in sites.data_classes_of(model):
        raise CommandError(
            f"{data_cls._meta.label} does not count for {rest[0]!r}: register it so."
        )
    return Match(attribute, model, rest[1] if rest[1:] else attribute.rpartition(".")[2])


def describe(converter: Converter) -> str:
    """Return what was converted, a number a line."""
    report = converter.report
    rows = [
        ("converted before", report.before),
        ("would be converted" if converter.dry else "converted", report.converted),
        ("without object", report.without_object),
        ("without time", report.without_time),
        ("left out as unfit", report.unfit),
    ]
    return "\n".join(f"{name:<18}{number:>12}" for name, number in rows)


def how_to_go_on(converter: Converter) -> str:
    """Return what is done, and how to go on."""
    if converter.dry:
        return "Nothing was written."
    return f"{converter.marker.position} records are done: run it again to go on behind them."
