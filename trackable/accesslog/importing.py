"""Importing: every request of a log goes through the pipeline, with its own time and agent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import lru_cache
from itertools import islice
from typing import Final

from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from trackable import conf, spiders
from trackable.accesslog.lines import Hit, parse, printable, unescape
from trackable.accesslog.selection import Selection
from trackable.accesslog.sources import DamagedLog
from trackable.exceptions import TrackableError
from trackable.journal import segments
from trackable.lookups import UNKNOWN, Absent, Finder
from trackable.messaging import send_increment_message
from trackable.models import TrackableData

LINES_AT_ONCE: Final = 1000
MAX_REMEMBERED: Final = 100_000
MAX_SHOWN: Final = 5
#: The rest of the journal is left to the site, which must not have to drop what it emits.
JOURNAL_SHARE: Final = 0.5


class JournalCrowded(TrackableError):  # noqa: N818
    """The journal has all that an import may put into it: fold, then go on."""


NO_AGENT: Final = (b"-", b"")
UNMATCHED: Final = Absent("does not match")


@dataclass(slots=True)
class ImportReport:
    """What became of the lines of a log; the kinds add up to ``lines``."""

    lines: int = 0
    counted: int = 0
    filtered: int = 0
    excluded: int = 0
    unmatched: int = 0
    missing: int = 0
    unparsable: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Importer:
    """Emits an increment of one counter for each hit that is selected.

    ``on_unparsable`` gets the number of a line and its printable beginning, ``on_missing`` a
    target and why it has no object: each for the first few only.
    """

    finder: Finder
    selection: Selection
    data_cls: type[TrackableData]
    field_name: str
    creates: bool = False
    zone_of_log: bool = False
    on_unparsable: Callable[[int, str], None] = lambda number, text: None
    on_missing: Callable[[str, str], None] = lambda target, reason: None
    report: ImportReport = field(default_factory=ImportReport)
    _known: dict[bytes, Model | Absent] = field(default_factory=dict)
    _zone: tzinfo | None = None
    _shown_missing: set[bytes] = field(default_factory=set)

    def run(self, lines: Iterable[bytes], *, skip: int = 0) -> Iterator[int]:
        """Import the lines of one log, and yield the number of lines done from time to time.

        It is safe to stop whenever it yields. Raises ``JournalCrowded`` when the journal has taken
        as much as it can while the site goes on emitting: fold, then go on behind that line.
        """
        done = 0
        for chunk in _chunks(lines):
            wanted = chunk[max(skip - done, 0) :]
            if wanted:
                _check_room()
                self._take(wanted, done + len(chunk) - len(wanted))
            done += len(chunk)
            yield done

    def _take(self, lines: Sequence[bytes], before: int) -> None:
        hits = list(self._selected(lines, before))
        self._look_up({key for _, key in hits})
        self._zone = None
        with timezone.override(timezone.get_current_timezone()):
            for hit, key in hits:
                self._count(hit, key)

    def _selected(self, lines: Sequence[bytes], before: int) -> Iterator[tuple[Hit, bytes]]:
        for number, line in enumerate(lines, start=before + 1):
            if not line:
                continue
            self.report.lines += 1
            hit = parse(line)
            if hit is None:
                self._refuse(number, line)
            elif not self.selection.takes(hit):
                self.report.excluded += 1
            elif hit.target is None:
                self.report.unmatched += 1
            else:
                yield hit, self.selection.key(hit.target)

    def _refuse(self, number: int, line: bytes) -> None:
        self.report.unparsable += 1
        if self.report.unparsable <= MAX_SHOWN:
            self.on_unparsable(number, printable(line))

    def _look_up(self, keys: set[bytes]) -> None:
        if len(self._known) > MAX_REMEMBERED:
            self._known.clear()
        captured = {key: self.selection.captured(key) for key in keys - self._known.keys()}
        found = self.finder.find(values for values in captured.values() if values is not None)
        if self.creates:
            unknown = [values for values, obj in found.items() if obj is UNKNOWN]
            found |= self.finder.create(unknown)
        for key, values in captured.items():
            self._known[key] = UNMATCHED if values is None else found[values]

    def _count(self, hit: Hit, key: bytes) -> None:
        obj = self._known[key]
        if isinstance(obj, Absent):
            self._pass_over(key, obj)
            return
        if self.zone_of_log and (zone := hit.when.tzinfo) is not None and zone is not self._zone:
            self._zone = zone
            timezone.activate(zone)
        request = request_of(hit.agent)
        options = {"when": hit.when}
        if send_increment_message(request, obj, self.field_name, self.data_cls, options):
            self.report.counted += 1
        elif _is_filtered(request):
            self.report.filtered += 1
        else:
            self.report.dropped += 1

    def _pass_over(self, key: bytes, absent: Absent) -> None:
        if absent is UNMATCHED:
            self.report.unmatched += 1
            return
        self.report.missing += 1
        if len(self._shown_missing) < MAX_SHOWN and key not in self._shown_missing:
            self._shown_missing.add(key)
            self.on_missing(printable(key), absent.reason)


def _chunks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield many lines at once; where they cannot be read on, those before come first."""
    iterator = iter(lines)
    damage: DamagedLog | None = None
    while damage is None:
        chunk: list[bytes] = []
        try:
            chunk.extend(islice(iterator, LINES_AT_ONCE))
        except DamagedLog as error:
            damage = error
        if chunk:
            yield chunk
        elif damage is None:
            return
    raise damage


def _check_room() -> None:
    directory = conf.journal_dir()
    taken, limit = segments.size_bytes(directory), int(conf.get("JOURNAL_MAX_BYTES"))
    if taken > limit * JOURNAL_SHARE:
        raise JournalCrowded(
            f"The journal has {taken} bytes of at most {limit} (TRACKABLE_JOURNAL_MAX_BYTES), and"
            " the rest is left to the site."
        )


def _is_filtered(request: HttpRequest | None) -> bool:
    if request is None or not conf.get("USER_AGENT_FILTERING"):
        return False
    return spiders.verdict_of_request(request) is not None


@lru_cache(maxsize=4096)
def request_of(agent: bytes | None) -> HttpRequest | None:
    """Return a request with a logged user agent; ``None`` if the log's format has none.

    A format without user agents does not make its requests those of crawlers, as a client that
    sends none may be.
    """
    if agent is None:
        return None
    request = HttpRequest()
    if agent not in NO_AGENT:
        request.META["HTTP_USER_AGENT"] = unescape(agent).decode("latin-1")
    return request
