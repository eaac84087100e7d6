"""Plans: which of django-hitcount's hits become counts, and of which counter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, models
from django.utils import timezone

from trackable.conversion.plan import BadConversion
from trackable.hitcounts.tables import TOTALS, Tables, tables_of
from trackable.models import TrackableData

OLDEST: Final[Literal["oldest"]] = "oldest"
NONE: Final[Literal["none"]] = "none"
#: Before the first hit.
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: What times are told apart by.
TICK: Final = timedelta(milliseconds=1)
#: Where hits go of which nobody knows the time.
Remainder = date | Literal["oldest", "none"] | None


@dataclass(frozen=True, slots=True)
class HitPlan:
    """How hits on objects of ``model`` become counts.

    Hits from ``before`` on are left out; its times are whole milliseconds. ``alias`` is the
    database that has the tables of django-hitcount.
    """

    model: type[models.Model]
    data_cls: type[TrackableData]
    counter: str
    since: datetime | None = None
    before: datetime | None = None
    remainder: Remainder = None
    without_crawlers: bool = False
    alias: str = DEFAULT_DB_ALIAS
    totals_table: str = TOTALS

    def check(self) -> None:
        """Raise ``BadConversion`` for times and tables that cannot be used."""
        if self.before is not None and self.before > now():
            raise BadConversion("--before is in the future: hits may come until then.")
        if self.since is not None and self.before is not None and self.since >= self.before:
            raise BadConversion("--since is not earlier than --before: no hit is between them.")
        self.tables.check(self.alias)

    @property
    def tables(self) -> Tables:
        return tables_of(self.totals_table)

    @property
    def has_periods(self) -> bool:
        """Tell whether a hit without a time has no row that it belongs to."""
        return self.data_cls.period is not None

    def identity(self) -> tuple[str, ...]:
        """Return what tells this import from others."""
        labels = (self.model._meta.label, self.data_cls._meta.label, self.counter)
        return (self.alias, self.totals_table, *labels)

    def options(self) -> tuple[str, ...]:
        """Return what must be the same whenever the import goes on."""
        return (str(self.since), str(self.without_crawlers), str(self.data_cls.period))


def now() -> datetime:
    """Return the time, in whole milliseconds."""
    return whole(datetime.now(UTC))


def whole(moment: datetime) -> datetime:
    """Return a time without what is less than a millisecond."""
    return BEGINNING + (moment - BEGINNING) // TICK * TICK


def stored(moment: datetime) -> datetime:
    """Return a time as the database is asked for it."""
    return moment if settings.USE_TZ else timezone.make_naive(moment)


def aware(moment: Any) -> datetime:
    """Return a time from the database as an aware datetime."""
    found: datetime = moment if moment.tzinfo else timezone.make_aware(moment)
    return found
