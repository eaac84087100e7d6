"""Mirrors: what apps do with the amounts that a fold adds, in the same transaction.

So what a mirror writes is there if the amounts are, and is written once as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from django.db import DataError, Error, IntegrityError, transaction

from trackable import notices

if TYPE_CHECKING:
    from trackable.folding.rows import Row
    from trackable.models import TrackableData

logger = logging.getLogger(__name__)

#: Takes the database, a data class, and the rows that were added to it. May write, quickly.
Mirror = Callable[[str, "type[TrackableData]", "Sequence[Row]"], None]

#: Tells, by the label of a data class, whether to show what is added to it: it costs a savepoint.
Wish = Callable[[str], bool]

#: An app adds its own when it is ready.
mirrors: Final[list[tuple[Wish, Mirror]]] = []


def show(alias: str, data_cls: type[TrackableData], rows: Sequence[Row]) -> None:
    """Show each mirror what was added. What one of them raises undoes its own work alone.

    Raises what Django raises when the connection fails or a table is missing, which undoes the
    fold: what is counted is shown, or is not counted yet.
    """
    for wants, mirror in mirrors:
        if not wants(data_cls._meta.label):
            continue
        try:
            with transaction.atomic(using=alias):
                mirror(alias, data_cls, rows)
        except Exception as error:  # counts do not depend on what others make of them
            if isinstance(error, Error) and not isinstance(error, DataError | IntegrityError):
                raise
            name = f"{mirror.__module__}.{mirror.__qualname__}"
            if notices.is_news(f"{name}: {type(error).__name__}"):
                logger.exception("%s failed, and has not seen what was added.", name)
