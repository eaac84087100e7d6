"""Checks of the databases that data classes are routed to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.checks import CheckMessage, Error
from django.db import connections, router
from django.db.backends.base.features import BaseDatabaseFeatures

if TYPE_CHECKING:
    from trackable.models import TrackableData


def check_databases(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse databases without transactions, and those that keep less than they are given."""
    from trackable.models import LedgerEntry

    # What no data class claims is entered where the ledger is by default.
    used = {*_data_classes_by_alias(), router.db_for_write(LedgerEntry)}
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
    from trackable.models import LedgerEntry, QuarantinedMessage

    return [
        Error(
            f"It is routed to the database '{alias}', which has no {model._meta.label}.",
            hint=f"Let the database routers migrate {model._meta.label} to '{alias}' too.",
            obj=data_cls,
            id="trackable.E021",
        )
        for alias, data_classes in _data_classes_by_alias().items()
        for data_cls in data_classes
        for model in (LedgerEntry, QuarantinedMessage, ContentType)
        if not (model is ContentType and "parent" in data_cls.key_fields())
        and not router.allow_migrate_model(alias, model)
    ]


def _data_classes_by_alias() -> dict[str, list[type[TrackableData]]]:
    from trackable.models import TrackableData

    found: dict[str, list[type[TrackableData]]] = defaultdict(list)
    for model in apps.get_models():
        if issubclass(model, TrackableData):
            found[router.db_for_write(model)].append(model)
    return found
