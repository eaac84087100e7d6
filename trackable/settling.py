"""Settling: segments leave once the ledger shows them; what it does not show is sent again."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from django.db import Error

from trackable import conf, counting
from trackable.journal import files, segments, tally
from trackable.journal.segments import FOLDED, SEALED, SHIPPED, Segment

logger = logging.getLogger(__name__)

#: Which segments are folded, as far as the databases answer, and what those raise that do not.
Answers = tuple[dict[Segment, bool], list[Error]]

#: The share of the journal's bound past which folded segments are not kept for their retention.
SHARE_BEFORE_FOLDED_GO: Final = 0.25


def settle(directory: Path, now: float) -> None:
    """Compare the segments with the ledger, at a time in seconds since the epoch.

    What it shows becomes ``.folded``; what it has shown for ``TRACKABLE_JOURNAL_RETENTION``,
    and still shows, is removed; what no ledger shows in time is sent again, under the same ids.
    Runs SQL. What is in a database that does not answer waits; then its error is raised, when
    the rest is done.
    """
    segments.redate(directory, now)
    expired, waiting = _expired(directory, now), segments.listing(directory, SEALED, SHIPPED)
    known, errors = _ask([*expired, *waiting], now)
    _settle_folded({s: known[s] for s in expired if s in known}, now)
    _settle_waiting({s: known[s] for s in waiting if s in known}, now)
    _make_room(directory)
    for error in errors:
        raise error


def _settle_waiting(known: Mapping[Segment, bool], now: float) -> None:
    for segment, is_folded in known.items():
        if is_folded:
            segment.become(FOLDED)
        elif segment.state == SHIPPED and _is_lost(segment, now):
            _send_again(segment)


def _is_lost(segment: Segment, now: float) -> bool:
    """Tell whether to send a segment again: ever more rarely, lest a queue without folder grows."""
    delay = max(float(conf.get("RESEND_AFTER")), (now - segment.created_at) / 2)
    return now - segment.changed_at() >= delay


def _expired(directory: Path, now: float) -> list[Segment]:
    kept_since = now - float(conf.get("JOURNAL_RETENTION"))
    return [s for s in segments.listing(directory, FOLDED) if s.changed_at() <= kept_since]


def _settle_folded(known: Mapping[Segment, bool], now: float) -> None:
    for segment, is_folded in known.items():
        if is_folded or _is_forgotten(segment, now):
            segment.remove()
        elif _send_again(segment):
            logger.warning("The ledger has lost segment %s: it is sent again.", segment.id)


def _is_forgotten(segment: Segment, now: float) -> bool:
    """Tell whether the ledger showed a segment so long ago that it has only forgotten it."""
    return segment.changed_at() < now - float(conf.get("LEDGER_HORIZON"))


def _send_again(segment: Segment) -> bool:
    is_to_be_sent = segment.become(SEALED) is not None
    tally.add(segment.directory, resent=int(is_to_be_sent))
    return is_to_be_sent


def _ask(found: Iterable[Segment], now: float) -> Answers:
    """Ask the ledger of each data class; before anything is sent again, every other one too.

    The class may have been counted in another database until now.
    """
    known, errors = _ask_ledgers(found)
    missing = [s for s, is_folded in known.items() if not is_folded and _is_due(s, now)]
    anywhere, more = _ask_all_ledgers(missing)
    for segment in missing:
        del known[segment]
    return known | anywhere, errors + more


def _is_due(segment: Segment, now: float) -> bool:
    """Tell whether a segment is sent again if it is not folded."""
    if segment.state == FOLDED:
        return not _is_forgotten(segment, now)
    return segment.state == SHIPPED and _is_lost(segment, now)


def _ask_ledgers(found: Iterable[Segment]) -> Answers:
    """Return which segments the ledgers show that their data classes have now."""
    ids_of = {s: _by_alias(pairs) for s in found if (pairs := _batch_ids(s)) is not None}
    wanted: dict[str, set[str]] = defaultdict(set)
    for by_alias in ids_of.values():
        for alias, ids in by_alias.items():
            wanted[alias] |= ids
    shown, errors = _shown(wanted)
    known = {
        segment: all(ids <= shown[alias] for alias, ids in by_alias.items())
        for segment, by_alias in ids_of.items()
        if by_alias.keys() <= shown.keys()
    }
    return known, errors


def _ask_all_ledgers(found: Iterable[Segment]) -> Answers:
    """Return which segments are in any ledger; those of an id in none, if all of them answer."""
    from trackable.folding import ledger

    ids_of = {s: {i for _, i in pairs} for s in found if (pairs := _batch_ids(s)) is not None}
    wanted = set().union(*ids_of.values())
    shown, errors = _shown(dict.fromkeys(ledger.aliases(), wanted) if wanted else {})
    folded = set().union(*shown.values())
    known = {s: ids <= folded for s, ids in ids_of.items() if ids <= folded or not errors}
    return known, errors


def _shown(wanted: Mapping[str, set[str]]) -> tuple[dict[str, set[str]], list[Error]]:
    """Return the ids that each ledger shows, and the errors of those that do not answer."""
    from trackable.folding import ledger

    shown: dict[str, set[str]] = {}
    errors: list[Error] = []
    for alias, ids in wanted.items():
        try:
            shown[alias] = ledger.shows(alias, ids)
        except Error as error:
            errors.append(error)
    return shown, errors


def _by_alias(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    from trackable.folding import ledger

    found: dict[str, set[str]] = defaultdict(set)
    for label, identity in pairs:
        found[ledger.alias_of(label)].add(identity)
    return found


def _batch_ids(segment: Segment) -> tuple[tuple[str, str], ...] | None:
    try:
        return counting.batch_ids(segment.directory, segment.id)
    except FileNotFoundError:
        return None
    except OSError as error:
        files.complain(segment.path, error)
        return None


def _make_room(directory: Path) -> None:
    """Give up the retention of folded segments, oldest first, long before the journal is full."""
    bound = int(conf.get("JOURNAL_MAX_BYTES")) * SHARE_BEFORE_FOLDED_GO
    excess = segments.size_bytes(directory) - bound
    for segment in segments.listing(directory, FOLDED):
        if excess <= 0:
            break
        excess -= segment.size_bytes()
        segment.remove()


def replay(directory: Path, since: float) -> int:
    """Have every kept segment sent again that was changed since; return their number.

    ``since`` is in seconds since the epoch. What is folded is recognised by its ids.
    """
    kept = segments.listing(directory, SHIPPED, FOLDED)
    return sum(_send_again(segment) for segment in kept if segment.changed_at() >= since)
