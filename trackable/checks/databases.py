"""Checks of the databases that data classes are routed to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import connections, models, router
from django.db.backends.base.features import BaseDatabaseFeatures

from trackable.counters import counters_of
from trackable.labels import folded_classes

if TYPE_CHECKING:
    from trackable.labels import FoldedClass

#: What SQLite has of a decimal: it keeps and adds them as floats.
SQLITE_DIGITS: Final = 15


def check_databases(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse databases without transactions, and those that keep less than they are given."""
    from trackable.models import LedgerEntry

    # What no data class claims is entered where the ledger is by default.
    used = {*_classes_by_alias(), router.db_for_write(LedgerEntry)}
    asked = [alias for alias in databases or () if alias in used]
    return [message for alias in asked for message in _check_database(alias)]


def _check_database(alias: str) -> Iterator[CheckMessage]:
    if not _has_transactions(alias):
        yield Error(
            f"The database '{alias}' has no transactions.",
            hint="Use a transactional engine: InnoDB, PostgreSQL or SQLite.",
            id="trackable.E020",
        )
    if not _is_strict(alias):
        yield Error(
            f"The database '{alias}' is not strict: it cuts what a counter cannot hold in silence.",
            hint=f"Add \"SET sql_mode = 'STRICT_TRANS_TABLES'\" as init_command to the OPTIONS of"
            f" DATABASES['{alias}'].",
            id="trackable.E022",
        )


def _is_strict(alias: str) -> bool:
    connection: Any = connections[alias]
    if connection.vendor != "mysql":
        return True
    return bool({"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"} & connection.sql_mode)


def _has_transactions(alias: str) -> bool:
    features = connections[alias].features
    # What Django's base class does to find out makes a table.
    asked = type(features).supports_transactions
    if asked is BaseDatabaseFeatures.__dict__["supports_transactions"]:
        return True
    return bool(features.supports_transactions)


def check_routing(**_: Any) -> list[CheckMessage]:
    """Find data classes in databases that have no ledger, or no content types to refer to."""
    # Imported here: the checks of apps that use no tables import this package.
    from django.contrib.contenttypes.models import ContentType

    from trackable.models import LedgerEntry, QuarantinedMessage

    return [
        Error(
            f"It is routed to the database '{alias}', which has no {model._meta.label}.",
            hint=f"Let the database routers migrate {model._meta.label} to '{alias}' too.",
            obj=data_cls,
            id="trackable.E021",
        )
        for alias, classes in _classes_by_alias().items()
        for data_cls in classes
        for model in (LedgerEntry, QuarantinedMessage, ContentType)
        if not (model is ContentType and _needs_no_content_types(data_cls))
        and not router.allow_migrate_model(alias, model)
    ]


def check_precision(**_: Any) -> list[CheckMessage]:
    """Find decimals with more digits than their database has: what is added to them is lost."""
    from trackable.models import TrackableData

    return [
        CheckWarning(
            f"The counter '{field.name}' has {field.max_digits} digits, of which SQLite keeps"
            f" {SQLITE_DIGITS}: what is added to a greater number is lost in silence.",
            hint=f"Set max_digits to {SQLITE_DIGITS} at most, count in a smaller unit in a"
            " BigIntegerField, or use another database.",
            obj=field,
            id="trackable.W009",
        )
        for alias, classes in _classes_by_alias().items()
        if connections[alias].vendor == "sqlite"
        for data_cls in classes
        if issubclass(data_cls, TrackableData)
        for field in counters_of(data_cls).values()
        if isinstance(field, models.DecimalField) and (field.max_digits or 0) > SQLITE_DIGITS
    ]


def _needs_no_content_types(folded_class: FoldedClass) -> bool:
    from django.contrib.contenttypes.models import ContentType

    from trackable.models import TrackableData

    if issubclass(folded_class, TrackableData):
        return "parent" in folded_class.key_fields()
    fields = folded_class._meta.get_fields()
    return not any(field.related_model is ContentType for field in fields)


def _classes_by_alias() -> dict[str, list[FoldedClass]]:
    found: dict[str, list[FoldedClass]] = defaultdict(list)
    for folded_class in folded_classes():
        found[router.db_for_write(folded_class)].append(folded_class)
    return found
