"""Tables: what django-hitcount keeps, read whether it is still installed or not.

They are models in a registry of their own, so no migration, relation or other app sees them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.apps.registry import Apps
from django.db import connections, models

from trackable.conversion.plan import BadConversion

if TYPE_CHECKING:
    Field = models.Field[Any, Any]
else:
    Field = models.Field

#: a number for each object; another table if HITCOUNT_HITCOUNT_MODEL named another model
TOTALS: Final = "hitcount_hit_count"
#: a row for each hit that hitcount_cleanup has not removed
HITS: Final = "hitcount_hit"


class AsItIs(Field):
    """A column of whatever type: object ids were numbers, were text, and may be UUIDs."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The models of both tables."""

    totals: type[models.Model]
    hits: type[models.Model]

    def check(self, alias: str) -> None:
        """Raise ``BadConversion`` if a table is not there."""
        present = connections[alias].introspection.table_names()
        for model in (self.totals, self.hits):
            if model._meta.db_table not in present:
                raise BadConversion(
                    f"The database {alias!r} has no table {model._meta.db_table}: name the"
                    " database with --database, and with --totals-table the table of your"
                    " HITCOUNT_HITCOUNT_MODEL."
                )


@cache
def tables_of(totals_table: str = TOTALS) -> Tables:
    """Return the models that read the tables."""
    return Tables(_total(totals_table), _hit())


def _total(table: str) -> type[models.Model]:
    class Total(models.Model):
        id = models.BigAutoField(primary_key=True)
        hits = models.PositiveBigIntegerField()
        modified = models.DateTimeField()
        content_type_id = models.IntegerField()
        object_pk = AsItIs()

        class Meta:
            apps = Apps()
            app_label = "hitcount"
            db_table = table
            managed = False

    return Total


def _hit() -> type[models.Model]:
    class Hit(models.Model):
        id = models.BigAutoField(primary_key=True)
        created = models.DateTimeField()
        user_agent = models.CharField(max_length=255)
        hitcount_id = models.BigIntegerField()

        class Meta:
            apps = Apps()
            app_label = "hitcount"
            db_table = HITS
            managed = False

    return Hit
