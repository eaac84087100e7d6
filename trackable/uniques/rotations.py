"""Rotations: the secrets that visitors are hashed with, each for a time, and their end.

A fold hashes each pseudonym again, with the secret of the event's day (or week, month, year). Once
that is deleted, nobody can tell whether somebody is in a sketch, whatever else they know.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from trackable.exceptions import BadTime
from trackable.models import UniqueSecret
from trackable.periods import decode_start, start_of
from trackable.uniques.fields import NEVER, ROTATIONS, uniques_of
from trackable.uniques.pseudonyms import parse

if TYPE_CHECKING:
    from trackable.models import TrackableData

SECRET_BYTES: Final = 32
HASH_BYTES: Final = 8
#: The start of the rotation that has no end.
ALWAYS: Final = date(1970, 1, 1)


class Hasher:
    """Hashes who was seen for one data class in one database; secrets are made where absent.

    For one transaction: if that is undone, the secrets are gone that were made in it. With
    ``is_reading`` nothing is written, and a secret that is absent is one that no sketch has.
    """

    def __init__(
        self, data_cls: type[TrackableData], alias: str, *, is_reading: bool = False
    ) -> None:
        self._period = data_cls.period
        self._fields = uniques_of(data_cls)
        self._alias = alias
        self._is_reading = is_reading
        self._secrets: dict[tuple[str, str], bytes] = {}
        self._made: dict[tuple[str, date], bytes] = {}

    def hash_of(self, field_cell: str, period: str) -> tuple[str, int]:
        """Return the name of the field, and the hash of who was seen for its sketch.

        The period is as it travels. Raises ``BadKey``, ``BadTime``, ``UnknownField``, and
        ``ValueError`` for what is no period of the data class.
        """
        name, pseudonym = parse(field_cell)
        secret = self._secrets.get((name, period)) or self._secret(name, period)
        digest = blake2b(pseudonym, key=secret, digest_size=HASH_BYTES).digest()
        return name, int.from_bytes(digest, "big")

    def _secret(self, name: str, period: str) -> bytes:
        rotation = self._fields[name].rotation
        start = _start_of(rotation, decode_start(self._period, period))
        find = self._temporary if self._is_reading else secret_of
        secret = self._secrets[name, period] = find(self._alias, rotation, start)
        return secret

    def _temporary(self, alias: str, rotation: str, start: date) -> bytes:
        """Return the secret of a rotation; if it has none, one for as long as this hasher lives."""
        found = _first(_secrets(alias, rotation, start))
        return found or self._made.setdefault((rotation, start), os.urandom(SECRET_BYTES))


def _start_of(rotation: str, start: date | datetime | None) -> date:
    """Return the first day of the rotation that a period is in: of the days of ``TIME_ZONE``.

    Whoever folds or reads, in whichever zone, must find the same one. Raises ``BadTime`` for an
    hour that is on no day that there is.
    """
    if rotation == NEVER or start is None:
        return ALWAYS
    if not isinstance(start, datetime):
        return start_of(rotation, datetime.combine(start, time.min, UTC), UTC)
    try:
        return start_of(rotation, start, timezone.get_default_timezone())
    except OverflowError as error:
        raise BadTime(f"{start.isoformat()} is on no day of this time zone") from error


def secret_of(alias: str, rotation: str, start: date) -> bytes:
    """Return the secret of a rotation, made where it is absent: by one fold, for all.

    Must run in a transaction; the others wait for it.
    """
    wanted = _secrets(alias, rotation, start)
    found = _first(wanted)
    if found is None:
        fresh = UniqueSecret(rotation=rotation, start=start, secret=os.urandom(SECRET_BYTES))
        UniqueSecret._base_manager.using(alias).bulk_create([fresh], ignore_conflicts=True)
        # Locked: what another fold has made since it began, a plain read does not see on MySQL.
        found = _first(wanted.select_for_update())
    assert found is not None
    return found


def _secrets(alias: str, rotation: str, start: date) -> QuerySet[UniqueSecret]:
    return UniqueSecret._base_manager.using(alias).filter(rotation=rotation, start=start)


def _first(wanted: QuerySet[UniqueSecret]) -> bytes | None:
    return next((bytes(secret) for secret in wanted.values_list("secret", flat=True)), None)


def forget(alias: str, before: datetime) -> None:
    """Delete the secrets whose rotations were over before an aware moment.

    One that was made since then, for events that came late, is kept: more may come.
    """
    zone = timezone.get_default_timezone()
    made = before if settings.USE_TZ else timezone.make_naive(before, zone)
    over = Q(pk__in=[])
    for rotation in ROTATIONS:
        if rotation != NEVER:
            over |= Q(rotation=rotation, start__lt=start_of(rotation, before, zone))
    UniqueSecret._base_manager.using(alias).filter(over, made_at__lt=made)._raw_delete(alias)
