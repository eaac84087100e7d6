"""Tokens: which counter a page is counted by, signed by this site.

A token is the same for every visitor, and for as long as its time goes on, so a page that bears it
can be cached. It tells the data class, the model, the object's id and the counter, which anybody
can read in it, and nobody can change.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.apps import apps
from django.core.signing import BadSignature, Signer

from trackable import conf, messaging
from trackable.counters import counters_of
from trackable.exceptions import TrackableError, UnknownField
from trackable.labels import folded_class_of
from trackable.models import TrackableData
from trackable.uniques.fields import uniques_of

if TYPE_CHECKING:
    from django.db.models import Model

SALT: Final = "trackable.collect"
#: of a request's body, and so of a token
MAX_BYTES: Final = 2048
NUMBER_OF_CELLS: Final = 5


class BadToken(TrackableError):  # noqa: N818
    """The token counts nothing: have the page rendered anew."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token says: an object with nothing but its id loaded, and its counter."""

    obj: Model
    field: str
    data_cls: type[TrackableData]
    #: whether visitors are counted, and not visits
    is_unique: bool


def token_of(obj: Model, field: str, data_cls: type[TrackableData] | None = None) -> str:
    """Return the token of an object's counter, or of its distinct count.

    Raises what an emit raises under ``DEBUG``, and ``BadToken`` for an id that is too long.
    """
    label, _, object_id, _ = _key_of(obj, field, data_cls)
    cells = [label, type(obj)._meta.label, object_id, field, _expiry()]
    token = Signer(salt=SALT).sign_object(cells)
    if len(token) > MAX_BYTES:
        raise BadToken(f"The token of {object_id[:80]!r} would have more than {MAX_BYTES} bytes.")
    return token


def _key_of(
    obj: Model, field: str, data_cls: type[TrackableData] | None
) -> tuple[str, str, str, str]:
    try:
        return messaging.key_of(obj, field, data_cls)
    except UnknownField as error:
        try:
            return messaging.key_of(obj, field, data_cls, uniques_of)
        except UnknownField:
            raise error from None


def _expiry() -> int | None:
    """Return when a token that is made now ends, in seconds since the epoch.

    After one to two times the age that it may have: so it stays the same for a while.
    """
    max_age = conf.get("COLLECT_MAX_AGE")
    if max_age is None:
        return None
    return int((time.time() // max_age + 2) * max_age)


def read(token: str) -> Wanted:
    """Return what a token says. Raises ``BadToken`` if it is none, too old, or of nothing."""
    try:
        cells = Signer(salt=SALT).unsign_object(token)
    except (BadSignature, ValueError) as error:
        raise BadToken("bad token") from error
    if not isinstance(cells, list) or len(cells) != NUMBER_OF_CELLS:
        raise BadToken("bad token")  # signed by another version
    label, model_label, object_id, field, expiry = cells
    if _is_over(expiry):
        raise BadToken("expired token")
    return _wanted(label, model_label, object_id, field)


def _is_over(expiry: int | None) -> bool:
    if expiry is None:
        return conf.get("COLLECT_MAX_AGE") is not None
    return time.time() >= expiry


def _wanted(label: str, model_label: str, object_id: str, field: str) -> Wanted:
    """Find what a token names: the code may have changed since it was signed."""
    data_cls = folded_class_of(label)
    if data_cls is None or not issubclass(data_cls, TrackableData):
        raise BadToken("unknown counter")
    is_unique = field in uniques_of(data_cls)
    fields_of = uniques_of if is_unique else counters_of
    try:
        model = apps.get_model(model_label)
        obj = messaging.stand_in(model, object_id, field, data_cls, fields_of)
    except (LookupError, ValueError, TrackableError) as error:
        raise BadToken("unknown counter") from error
    return Wanted(obj, field, data_cls, is_unique)
