"""Health: the page of how things stand, from the figures that ``trackable_status`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import formats, timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from trackable import status
from trackable.admin import access
from trackable.admin.pages import page
from trackable.admin.readonly import HEALTH, may_view_health
from trackable.charts.words import number_in_words
from trackable.status.figures import Broker, Database, Failed, Fold, Folded, Journal, Machine

TEMPLATE: Final = "admin/trackable/health.html"
#: More queues and data classes than this are in the output of ``trackable_status`` alone.
MAX_LISTED: Final = 20

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


@dataclass(frozen=True, slots=True)
class Line:
    """A figure, as a person reads it; ``url`` leads to the rows behind it."""

    name: Any
    value: Any
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of a part; ``error`` says why it could not be asked."""

    title: Any
    lines: list[Line]
    error: str | None = None


def view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Return the page; parts that do not answer within five seconds are said to have failed."""
    site = model_admin.admin_site
    if not may_view_health(site, request):
        raise PermissionDenied
    found = status.gather()
    context = {
        "title": HEALTH,
        "status": found,
        "problems": status.problems(found, status.Limits.default()),
        "sections": list(sections_of(found, site)),
        "filtered_url": access.url_of(site, "trackable_spider_filtered"),
    }
    return page(model_admin, request, TEMPLATE, **context)


def sections_of(found: status.Status, site: admin.AdminSite) -> Iterator[Section]:
    """Yield the parts of a status with their figures."""
    yield _section(_("Journal of this machine"), found.journal, _journal)
    yield _section(_("This machine, so far"), found.machine, _machine)
    if found.broker is None:
        yield Section(_("Broker"), [Line(_("Broker"), _("None: folds read the journal."))])
    else:
        yield _section(_("Broker"), found.broker, _broker)
    for alias, database in found.databases.items():
        title = gettext("Database %(alias)s, all machines") % {"alias": alias}
        yield _section(title, database, lambda each: _database(each, site))


def _section(title: Any, part: Any, lines_of: Any) -> Section:
    if isinstance(part, Failed):
        return Section(title, [], part.error)
    return Section(title, list(lines_of(part)))


def _ago(seconds: float | None, otherwise: Any) -> Any:
    if seconds is None:
        return otherwise
    now = timezone.now()
    return gettext("%(time)s ago") % {"time": timesince(now - timedelta(seconds=seconds), now)}


def _numbers(names: Mapping[str, Any], values: Mapping[str, int]) -> Iterator[Line]:
    for name, text in names.items():
        yield Line(text, number_in_words(values[name]))


def _listed(title: Any, numbers: Mapping[str, int]) -> Iterator[Line]:
    ordered = sorted(numbers.items(), key=lambda item: -item[1])
    for label, number in ordered[:MAX_LISTED]:
        yield Line(
            gettext("%(title)s: %(label)s") % {"title": title, "label": label},
            number_in_words(number),
        )


STATES: Final = {
    "open": _("Segments open"),
    "sealed": _("Segments sealed"),
    "shipped": _("Segments shipped"),
    "folded": _("Segments folded"),
}
OUTAGES: Final = {"journal": _("Journal outage last met"), "broker": _("Broker outage last met")}


def _journal(journal: Journal) -> Iterator[Line]:
    yield Line(_("Folder"), journal.directory)
    if not journal.exists:
        yield Line(_("State"), _("Is not there: nothing was emitted here."))
    size = {
        "size": filesizeformat(journal.size_bytes),
        "share": number_in_words(journal.share_percent),
        "most": filesizeformat(journal.max_bytes),
    }
    yield Line(_("Size"), gettext("%(size)s, %(share)s %% of %(most)s") % size)
    for state, number in journal.segments.items():
        yield Line(STATES.get(state, state), number_in_words(number))
    yield Line(_("Oldest not folded"), _ago(journal.oldest_age_seconds, _("Nothing waits.")))
    for outage, seconds in journal.outages_met_seconds.items():
        yield Line(OUTAGES.get(outage, outage), _ago(seconds, ""))
    if journal.other_machines:
        yield Line(_("Used too by"), ", ".join(journal.other_machines[:MAX_LISTED]))


SUMS: Final = {
    "emitted": _("Emitted"),
    "refused": _("Refused: the journal was full"),
    "shipped": _("Shipped"),
    "resent": _("Segments sent again"),
    "folded": _("Folded"),
    "folds": _("Folds"),
    "filtered": _("Filtered"),
    "dropped": _("Dropped"),
    "damaged": _("Damaged"),
    "quarantined": _("Messages quarantined"),
    "duplicates": _("Batches known already"),
}


def _machine(machine: Machine) -> Iterator[Line]:
    yield from _numbers(SUMS, machine.sums)
    yield from _fold(_("Last fold"), machine.last_fold)


def _fold(title: Any, fold: Fold | None, url: str | None = None) -> Iterator[Line]:
    if fold is None:
        yield Line(title, _("None yet."), url)
        return
    yield Line(title, _ago(fold.age_seconds, ""), url)
    yield Line(_("Its increments"), number_in_words(fold.increments))
    if fold.duration_seconds is not None:
        words = {"number": number_in_words(fold.duration_seconds)}
        yield Line(_("Its duration"), gettext("%(number)s s") % words)


def _broker(broker: Broker) -> Iterator[Line]:
    yield Line(_("Messages that wait"), number_in_words(sum(broker.queues.values())))
    yield from _listed(_("Queue"), {label: n for label, n in broker.queues.items() if n})
    for label, error in list(broker.refused.items())[:MAX_LISTED]:
        yield Line(gettext("Refuses the queue %(label)s") % {"label": label}, error)


def _database(database: Database, site: admin.AdminSite) -> Iterator[Line]:
    ledger = access.url_of(site, "trackable_ledgerentry_changelist")
    yield from _fold(_("Last transaction"), database.last_fold, ledger)
    yield Line(_("Last hour"), _folded(database.last_hour))
    yield Line(_("Last day"), _folded(database.last_day))
    yield Line(
        _("Oldest ledger entry"), _ago(database.oldest_entry_age_seconds, _("None yet.")), ledger
    )
    yield from _quarantine(database, site)
    for label, untils in list(database.rolled_up.items())[:MAX_LISTED]:
        for step, until in untils.items():
            words = {"label": label, "step": step}
            yield Line(gettext("Rolled up to a %(step)s: %(label)s") % words, _until(until))


def _quarantine(database: Database, site: admin.AdminSite) -> Iterator[Line]:
    found, url = database.quarantine, access.url_of(site, "trackable_quarantinedmessage_changelist")
    words = {
        "messages": _at_least(found.messages, is_partial=found.is_partial),
        "increments": number_in_words(found.increments),
    }
    one, many = (
        "%(messages)s message of %(increments)s increments",
        "%(messages)s messages of %(increments)s increments",
    )
    text = ngettext(one, many, found.messages) % words
    yield Line(_("Quarantine"), text if found.messages else _("Empty"), url)
    if found.messages:
        yield Line(_("Its oldest message"), _ago(found.oldest_age_seconds, ""))
    numbers = {label: each.messages for label, each in found.data_classes.items()}
    yield from _listed(_("Messages"), numbers)


def _folded(sums: Folded) -> str:
    words = {name: number_in_words(getattr(sums, name)) for name in ("filtered", "dropped")}
    words |= {
        "folded": _at_least(sums.increments, is_partial=sums.is_partial),
        "damaged": number_in_words(sums.damaged),
    }
    text = "%(folded)s folded, %(filtered)s filtered, %(dropped)s dropped, %(damaged)s damaged"
    return gettext(text) % words


def _at_least(number: int, *, is_partial: bool) -> str:
    text = number_in_words(number)
    return gettext("more than %(number)s") % {"number": text} if is_partial else text


def _until(moment: datetime) -> str:
    text = formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT")
    return gettext("until %(time)s") % {"time": text}
