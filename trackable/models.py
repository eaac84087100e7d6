"""The models: what users subclass, and what trackable keeps for itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.checks import CheckMessage
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.utils import names_digest
from django.db.models import Case, F, When
from django.db.models.base import ModelBase
from django.utils.translation import gettext_lazy as _

from trackable.amounts import times
from trackable.checks import check_data_class
from trackable.counters import Amount, clean_amount, counters_of, counts_of, is_positive
from trackable.exceptions import UnsavedObject
from trackable.querysets import TrackableManager

#: Constraint and index names longer than this are refused by some databases.
MAX_NAME_LENGTH = 30


class TrackableBase(ModelBase):
    """Gives each data class the columns and the unique key that its attributes ask for.

    The fold's upsert needs the key, so it does not depend on a ``Meta`` being inherited. A
    ``parent`` that is a foreign key replaces the generic relation; ``period = "hour"`` makes
    ``collected_during`` an aware datetime.
    """

    def __new__(
        mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any
    ) -> TrackableBase:
        if isinstance(attrs.get("parent"), models.ForeignKey):
            attrs = {"content_type": None, "object_id": None, **attrs}
        if "id" not in attrs and _has_own_key(bases, attrs):
            attrs = {"id": None, **attrs}
        if attrs.get("period") is not None and "collected_during" not in attrs:
            attrs["collected_during"] = _period_field(attrs["period"])
        cls: Any = super().__new__(mcs, name, bases, attrs, **kwargs)
        if not (cls._meta.abstract or cls._meta.proxy):
            _add_key(cls)
        return cls  # type: ignore[no-any-return]


def _has_own_key(bases: tuple[Any, ...], attrs: dict[str, Any]) -> bool:
    metas = [base._meta for base in bases if hasattr(base, "_meta")]
    inherited = [field for meta in metas for field in meta.local_fields if field.name != "id"]
    found = (*attrs.values(), *inherited)
    return any(isinstance(each, models.Field) and each.primary_key for each in found)


def _period_field(period: str) -> models.Field[Any, Any]:
    field = models.DateTimeField if period == "hour" else models.DateField
    return field(_("collected during"))


def _add_key(cls: type[TrackableData]) -> None:
    key = cls.key_fields()
    unique = models.UniqueConstraint(fields=key, name=_constraint_name(cls, "key"))
    cls._meta.constraints = [*cls._meta.constraints, unique]
    cls._meta.original_attrs["constraints"] = cls._meta.constraints
    if "collected_during" in key:
        index = models.Index(fields=["collected_during"], name=_constraint_name(cls, "period"))
        cls._meta.indexes = [*cls._meta.indexes, index]
        cls._meta.original_attrs["indexes"] = cls._meta.indexes


def _constraint_name(cls: type[models.Model], suffix: str) -> str:
    name = f"{cls._meta.app_label}_{cls._meta.model_name}_{suffix}"
    if len(name) > MAX_NAME_LENGTH:
        digest = names_digest(name, length=8)
        name = f"{name[: MAX_NAME_LENGTH - len(digest) - len(suffix) - 2]}_{digest}_{suffix}"
    return name


class TrackableData(models.Model, metaclass=TrackableBase):
    """Counters of an object: one row per object.

    A subclass adds integer, decimal or float fields; each is a counter. It may override
    ``object_id`` (for UUID or character keys) or define ``parent`` as a ``ForeignKey``.
    ``counters`` restricts the counters to the fields it names. A primary key of its own takes
    the place of ``id``.
    """

    period: ClassVar[str | None] = None
    counters: ClassVar[tuple[str, ...] | None] = None

    # An upsert takes a number from the sequence even where it only adds, so a smaller key would
    # run out. Declared as Django does it for models without a key, for the same migrations.
    id = models.BigAutoField("ID", primary_key=True, auto_created=True)
    content_type = models.ForeignKey(
        ContentType,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # the unique key starts with it
        verbose_name=_("content type"),
    )
    # Typed as any field, so that subclasses may have another kind of key.
    object_id: models.Field[Any, Any] = models.PositiveBigIntegerField(_("object id"))
    parent = GenericForeignKey("content_type", "object_id")

    objects = TrackableManager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        counts = ", ".join(f"{name}={getattr(self, name)}" for name in counts_of(type(self)))
        during = f" during {self.collected_during}" if hasattr(self, "collected_during") else ""
        owner = getattr(self, "parent_id", None) or getattr(self, "object_id", None)
        return f"{self._meta.verbose_name} of {owner}{during}: {counts}"

    @classmethod
    def key_fields(cls) -> list[str]:
        """Return the names of the fields that tell one row from another, in index order."""
        names = {field.name for field in cls._meta.fields}
        generic = "content_type" in names
        key = ["content_type", "object_id"] if generic else ["parent"]
        return [*key, "collected_during"] if "collected_during" in names else key

    @classmethod
    def parent_target(cls) -> models.Field[Any, Any] | None:
        """Return the field that a real ``parent`` points to; ``None`` for a generic relation."""
        if "parent" not in cls.key_fields():
            return None
        parent: Any = cls._meta.get_field("parent")
        return cast("models.Field[Any, Any]", parent.target_field)

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(**kwargs), *check_data_class(cls)]

    def incr(self, field: str, value: Amount = 1) -> None:
        """Add to a counter of this row at once, atomically, in the calling transaction.

        Raises ``UnknownField``, ``BadAmount`` and, for a row that is not saved,
        ``UnsavedObject``. For hot paths emit instead.
        """
        self._add(field, clean_amount(counters_of(type(self))[field], value))

    def decr(self, field: str, value: Amount = 1) -> None:
        """Take from a counter of this row at once; a positive field stops at zero.

        Raises what ``incr`` raises.
        """
        self._add(field, times(clean_amount(counters_of(type(self))[field], value), -1))

    def _add(self, field: str, amount: Amount) -> None:
        if self._state.adding:
            raise UnsavedObject(f"This {self._meta.label} has no row yet: save it before counting.")
        total: Any = F(field) + amount
        if is_positive(counters_of(type(self))[field]) and amount < 0:
            total = Case(When(**{f"{field}__gt": -amount}, then=F(field) - -amount), default=0)
        type(self)._base_manager.using(self._state.db).filter(pk=self.pk).update(**{field: total})
        self.refresh_from_db(fields=[field])


class TrackableTimeSeriesData(TrackableData):
    """Counters of an object over time: one row per object and period.

    ``period`` is ``"hour"``, ``"day"``, ``"week"``, ``"month"`` or ``"year"``.
    ``collected_during`` is the period's start: a date, or for hours an aware datetime.
    """

    period: ClassVar[str | None] = "day"

    class Meta:
        abstract = True


class TrackableRecord(models.Model):
    """A row that is emitted out of band, by ``send_record``, and written once by a fold.

    ``values`` are what was emitted, as JSON has brought them. A subclass makes of them what it
    likes, in ``of_values`` or ``write_records``; a record for which these raise goes to the
    quarantine.
    """

    class Meta:
        abstract = True

    @classmethod
    def of_values(cls, values: dict[str, Any]) -> Self:
        """Return the row that the values of a record ask for, not saved."""
        return cls(**values)

    @classmethod
    def write_records(cls, alias: str, found: Sequence[dict[str, Any]]) -> None:
        """Write the rows of some records, in the transaction at hand: all, or raise."""
        rows = [cls.of_values(values) for values in found]
        cls._base_manager.using(alias).bulk_create(rows, batch_size=500)


class SpiderManager(models.Manager["Spider"]):
    """Finds spiders by pattern, so that a fixture loaded again updates them."""

    def get_by_natural_key(self, pattern: str) -> Spider:
        return self.get(pattern=pattern)


class Spider(models.Model):
    """A user agent not to count: part of its name, or a regular expression.

    An exception is part of the name of a user agent to count, or a pattern that is not to matter.
    """

    class Kind(models.TextChoices):
        SUBSTRING = "substring", _("part of the name")
        REGEX = "regex", _("regular expression")
        EXCEPTION = "exception", _("exception: count them")

    pattern = models.CharField(_("pattern"), max_length=255, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.SUBSTRING)
    notes = models.CharField(_("notes"), max_length=255, blank=True)

    objects = SpiderManager()

    class Meta:
        verbose_name = _("spider")
        verbose_name_plural = _("spiders")
        ordering = ["pattern"]

    def __str__(self) -> str:
        return self.pattern

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.full_clean()
        super().save(*args, **kwargs)

    def natural_key(self) -> tuple[str]:
        return (self.pattern,)

    def clean(self) -> None:
        if not self.pattern.strip():
            raise ValidationError({"pattern": _("An empty pattern would match everybody.")})
        if self.kind == self.Kind.REGEX:
            _check_regex(self.pattern)


def _check_regex(pattern: str) -> None:
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        message = _("This is no regular expression: %(error)s.") % {"error": error}
        raise ValidationError({"pattern": message}) from error
    if compiled.search(""):
        raise ValidationError({"pattern": _("This expression would match everybody.")})


class FilteredHits(TrackableTimeSeriesData):
    """How many hits each pattern kept out, by day; ``object_id`` is the pattern."""

    object_id = models.CharField(_("pattern"), max_length=255)
    hits = models.PositiveBigIntegerField(_("hits"), default=0)

    class Meta:
        verbose_name = _("filtered hits")
        verbose_name_plural = _("filtered hits")


class LedgerEntry(models.Model):
    """The proof that a batch is folded: written in the transaction that applies its counts.

    Ids are text: MariaDB's UUID type refuses one in a hundred valid UUIDs that sort by time.
    """

    batch_id = models.CharField(_("batch id"), max_length=32, primary_key=True)
    fold_id = models.CharField(
        _("fold id"), max_length=32, help_text=_("The transaction that folded it.")
    )
    data_class = models.CharField(_("data class"), max_length=255)
    increments = models.PositiveBigIntegerField(_("increments"), default=0)
    filtered = models.PositiveBigIntegerField(_("filtered"), default=0)
    dropped = models.PositiveBigIntegerField(_("dropped"), default=0)
    damaged = models.PositiveBigIntegerField(_("damaged"), default=0)
    folded_at = models.DateTimeField(_("folded at"), db_index=True)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger")

    def __str__(self) -> str:
        return f"{self.batch_id} ({self.data_class})"


class QuarantinedMessage(models.Model):
    """What arrived and could not be folded, with the reason; nothing of it is counted."""

    batch_id = models.CharField(_("batch id"), max_length=32, db_index=True)
    data_class = models.CharField(_("data class"), max_length=255)
    reason = models.TextField(_("reason"))
    increments = models.PositiveBigIntegerField(_("increments"), default=0)
    payload = models.TextField(_("payload"), help_text=_("The entry, or the message as it came."))
    quarantined_at = models.DateTimeField(_("quarantined at"), db_index=True)
    retried_at = models.DateTimeField(
        _("retried at"), null=True, help_text=_("When it was last folded again, and came back.")
    )

    class Meta:
        verbose_name = _("quarantined message")
        verbose_name_plural = _("quarantine")
        ordering = ["-quarantined_at", "-pk"]
        permissions = [("retry_quarantinedmessage", "Can fold quarantined messages again")]

    def __str__(self) -> str:
        return f"{self.data_class}: {self.reason}"


class RolledUp(models.Model):
    """How far the rows of a data class are summed into coarser ones."""

    data_class = models.CharField(_("data class"), max_length=255)
    step = models.CharField(_("step"), max_length=5)
    until = models.DateTimeField(
        _("until"), help_text=_("Rows of what was before are of this step, or of a coarser one.")
    )

    class Meta:
        verbose_name = _("roll-up")
        verbose_name_plural = _("roll-ups")
        constraints = [
            models.UniqueConstraint(
                fields=["data_class", "step"], name="trackable_rolledup_class_step"
            )
        ]

    def __str__(self) -> str:
        return f"{self.data_class}: {self.step} until {self.until:%Y-%m-%d %H:%M %Z}"


class UniqueSecret(models.Model):
    """What keys of distinct counts are hashed with for a time; then nobody can tell them again."""

    rotation = models.CharField(_("rotation"), max_length=5)
    start = models.DateField(_("start"), help_text=_("The first day on which it is in use."))
    secret = models.BinaryField(_("secret"), max_length=32)
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("secret of distinct counts")
        verbose_name_plural = _("secrets of distinct counts")
        constraints = [
            models.UniqueConstraint(fields=["rotation", "start"], name="trackable_uniquesecret_key")
        ]

    def __str__(self) -> str:
        return f"{self.rotation} from {self.start}"
