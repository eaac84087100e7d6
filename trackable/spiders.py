"""The spider filter: verdicts on user agents, and the ``Spider`` rows that add to them.

A verdict that is asked for runs no SQL but for the first in a process, which loads the rows.
After that the rows are read again by whoever calls ``refresh_if_stale``: the background thread,
or, where none runs, the end of a request.
"""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from functools import lru_cache
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.core.signals import request_finished
from django.db import DatabaseError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_delete, post_save

from trackable import conf
from trackable.crawlers import PatternSet, crawler_pattern

logger = logging.getLogger(__name__)

#: Rows older than this are read again by the background thread...
RELOAD_SECONDS: Final = 30.0
#: ...and than this when a request ends, so only where there is no such thread.
RELOAD_AFTER_REQUEST_SECONDS: Final = 50.0
#: Characters of an agent that are looked at, and kept: with the entries below at most some 5 MB.
MAX_LENGTH: Final = 1000
CACHED_VERDICTS: Final = 4096

MISSING: Final = "no user agent"

#: A row's pattern and kind.
Row = tuple[str, str]


class Patterns:
    """What is in force: the rows of ``Spider`` and the built-in patterns, with their verdicts."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = frozenset(rows)
        own = [row for row in sorted(self.rows) if row[0].strip()]
        self._parts = _parts(own, "substring")
        self._expressions = PatternSet({}, _compiled(text for text, kind in own if kind == "regex"))
        self._exceptions = _parts(own, "exception")
        self._overruled = {text for text, kind in own if kind == "exception"}
        self.verdict = lru_cache(CACHED_VERDICTS)(self._verdict)

    def _verdict(self, agent: str) -> str | None:
        if agent.strip() in ("", "-"):
            return MISSING
        lowered = agent.lower()
        if self._exceptions.find(lowered):
            return None
        found = self._parts.find(lowered) or self._expressions.find(agent) or crawler_pattern(agent)
        return None if found in self._overruled else found


def _parts(rows: Iterable[Row], kind: str) -> PatternSet:
    return PatternSet({text.lower(): text for text, each in rows if each == kind})


def _compiled(expressions: Iterable[str]) -> Mapping[str, re.Pattern[str]]:
    compiled = {}
    for text in expressions:
        try:
            expression = re.compile(text, re.IGNORECASE)
        except Exception:
            logger.exception("The spider %r is no regular expression and is passed over.", text)
            continue
        if expression.search(""):
            logger.error("The spider %r would match everybody and is passed over.", text)
        else:
            compiled[text] = expression
    return compiled


class SpiderFilter:
    """The verdicts of this process, and the age of the rows that they rest on.

    ``clock`` returns monotonic seconds. Nothing here locks, so nothing is left locked by a fork:
    the patterns are replaced in one assignment, and where two threads read the rows at once and
    the older reading is put in force last, the next refresh mends it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._local = threading.local()
        self.forget()

    def forget(self) -> None:
        """Be as in a new process: the next verdict loads the rows."""
        self._patterns: Patterns | None = None
        self._loaded_at = -math.inf

    def verdict(self, user_agent: str | None) -> str | None:
        """Return the pattern that makes the agent a crawler's, or ``None`` for a person's.

        A missing or blank agent is what ``TRACKABLE_MISSING_USER_AGENT_IS_SPIDER`` says. Nothing
        that a visitor sends raises.
        """
        if not isinstance(user_agent, str):
            return self._missing()
        patterns = self._patterns or self._warm_up()
        found = patterns.verdict(user_agent[:MAX_LENGTH])
        return self._missing() if found is MISSING else found

    def verdict_of_request(self, request: Any) -> str | None:
        """Return the verdict on a request's agent; no request is nobody to judge."""
        try:
            agent = request.META.get("HTTP_USER_AGENT")
        except AttributeError:
            return None
        return self.verdict(agent)

    def _missing(self) -> str | None:
        return MISSING if conf.get("MISSING_USER_AGENT_IS_SPIDER") else None

    def _warm_up(self) -> Patterns:
        self.refresh()
        if self._patterns is None:
            self._patterns = Patterns()
        return self._patterns

    def stale(self, after_seconds: float = RELOAD_SECONDS) -> bool:
        """Tell whether the rows in force were read so long ago, or never."""
        return self._clock() - self._loaded_at >= after_seconds

    def refresh_if_stale(self, after_seconds: float = RELOAD_SECONDS) -> bool:
        """Refresh if somebody asked for verdicts and the rows are old; tell whether it did.

        Cheap enough to be called every second. Leaves the thread's connection open.
        """
        if self._patterns is None or not self.stale(after_seconds):
            return False
        return self.refresh()

    def refresh(self) -> bool:
        """Read the rows and put them in force; return whether they could be read.

        An error is logged, and the old patterns stay. The verdicts are kept if no row changed.
        """
        self._loaded_at = self._clock()
        try:
            rows = frozenset(_rows())
            if self._patterns is None or rows != self._patterns.rows:
                self._patterns = Patterns(rows)
        except SynchronousOnlyOperation:
            self._loaded_at = -math.inf  # in an event loop: the end of the request will do it
            return False
        except Exception:
            logger.exception("The spiders could not be read; the old ones stay in force.")
            return False
        return True

    def rows_changed(self, using: str, **_: Any) -> None:
        """Refresh once after the commit, however many rows a transaction changes."""
        if self._patterns is not None:
            self._local.changed = True
            transaction.on_commit(self._refresh_if_changed, using=using, robust=True)

    def _refresh_if_changed(self) -> None:
        if getattr(self._local, "changed", False):
            self._local.changed = False
            self.refresh()

    def request_finished(self, **_: Any) -> None:
        """Refresh where no background thread did, unless in somebody's transaction."""
        if self._patterns is None or not self.stale(RELOAD_AFTER_REQUEST_SECONDS):
            return
        before = _open_connections()
        if any(connection.in_atomic_block for connection in before):
            return
        self.refresh()
        for connection in _open_connections():
            if connection not in before:
                with suppress(DatabaseError):
                    connection.close()


def _open_connections() -> list[BaseDatabaseWrapper]:
    known = connections.all(initialized_only=True)
    return [connection for connection in known if connection.connection is not None]


def _rows() -> list[Row]:
    """Read the rows, without spoiling a transaction that is open if that fails."""
    spider = apps.get_model("trackable", "Spider")
    using = router.db_for_read(spider)
    inside = connections[using].in_atomic_block
    with transaction.atomic(using=using) if inside else nullcontext():
        return list(spider._base_manager.using(using).values_list("pattern", "kind"))


spider_filter: Final = SpiderFilter()
verdict = spider_filter.verdict
verdict_of_request = spider_filter.verdict_of_request
stale = spider_filter.stale
refresh = spider_filter.refresh
refresh_if_stale = spider_filter.refresh_if_stale
forget = spider_filter.forget

post_save.connect(spider_filter.rows_changed, sender="trackable.Spider")
post_delete.connect(spider_filter.rows_changed, sender="trackable.Spider")
request_finished.connect(spider_filter.request_finished)
