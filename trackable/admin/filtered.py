"""Filtered: the page of what was taken for crawlers, by which pattern, and of its corrections."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable import conf, spiders
from trackable.admin import access, reclassify
from trackable.admin.pages import page
from trackable.charts import sparkline
from trackable.charts.words import number_in_words
from trackable.models import FilteredHits, Spider
from trackable.reading.windows import today

TEMPLATE: Final = "admin/trackable/spider/filtered.html"
TITLE: Final = _("What was filtered")
DAYS: Final = 30
#: The patterns with most hits; there are some thousand.
MAX_PATTERNS: Final = 100
MAX_EXCEPTIONS: Final = 200
KEY: Final = re.compile(r"\d{1,18}", re.ASCII)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, what it kept out, and the row that there is of it."""

    text: str
    hits: int
    chart: SafeString
    spider: Spider | None
    url: str | None
    may_except: bool

    @property
    def is_missing(self) -> bool:
        return self.text == spiders.MISSING


@dataclass(frozen=True, slots=True)
class Exempt:
    """An exception; ``may_undo`` if it is known what its pattern was before."""

    spider: Spider
    url: str | None
    may_undo: bool


def view(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Return the page, or do what one of its buttons says."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        _act(model_admin, request)
        return HttpResponseRedirect(request.path)
    last = today()
    totals = list(_totals(last)[: MAX_PATTERNS + 1])
    context = {
        "title": TITLE,
        "days": DAYS,
        "patterns": _patterns(model_admin, request, dict(totals[:MAX_PATTERNS]), last),
        "is_cut": len(totals) > MAX_PATTERNS,
        "max_patterns": MAX_PATTERNS,
        "exceptions": _exceptions(model_admin, request),
        "filtering": conf.get("USER_AGENT_FILTERING"),
    }
    return page(model_admin, request, TEMPLATE, **context)


def _rows(last: date) -> QuerySet[Any]:
    first = last - timedelta(days=DAYS - 1)
    return FilteredHits._base_manager.order_by().filter(collected_during__range=(first, last))


def _totals(last: date) -> QuerySet[Any, tuple[str, int]]:
    sums: QuerySet[Any, Any] = _rows(last).values_list("object_id").annotate(total=Sum("hits"))
    return sums.filter(total__gt=0).order_by("-total", "object_id")


def _patterns(
    model_admin: ModelAdmin, request: HttpRequest, totals: dict[str, int], last: date
) -> list[Pattern]:
    known = {each.pattern: each for each in Spider.objects.filter(pattern__in=totals)}
    hits: dict[str, dict[date, int]] = defaultdict(dict)
    rows = _rows(last).filter(object_id__in=totals)
    for text, day, number in rows.values_list("object_id", "collected_during").annotate(
        number=Sum("hits")
    ):
        hits[text][day] = int(number)
    days = [last - timedelta(days=back) for back in reversed(range(DAYS))]
    return [
        _pattern(model_admin, request, text, [hits[text].get(day, 0) for day in days], known)
        for text in totals
    ]


def _pattern(
    model_admin: ModelAdmin,
    request: HttpRequest,
    text: str,
    by_day: list[int],
    known: dict[str, Spider],
) -> Pattern:
    spider = known.get(text)
    words = {"days": DAYS, "most": number_in_words(max(by_day))}
    label = gettext("Hits of the last %(days)s days, at most %(most)s a day") % words
    is_exception = spider is not None and spider.kind == Spider.Kind.EXCEPTION
    return Pattern(
        text=text,
        hits=sum(by_day),
        chart=sparkline(by_day, label=label),
        spider=spider,
        url=_url(model_admin, spider),
        may_except=not is_exception
        and text != spiders.MISSING
        and _may_except(model_admin, request, spider),
    )


def _url(model_admin: ModelAdmin, spider: Spider | None) -> str | None:
    if spider is None:
        return None
    return access.url_of(model_admin.admin_site, "trackable_spider_change", quote(spider.pk))


def _may_except(model_admin: ModelAdmin, request: HttpRequest, spider: Spider | None) -> bool:
    if spider is None:
        return model_admin.has_add_permission(request)
    return model_admin.has_change_permission(request, spider)


def _may_undo(model_admin: ModelAdmin, request: HttpRequest, spider: Spider) -> bool:
    """Tell whether somebody may take an exception back: who may make it, may."""
    match reclassify.kind_before(spider):
        case None:
            return False
        case reclassify.BUILT_IN:
            return model_admin.has_add_permission(request)
    return model_admin.has_change_permission(request, spider)


def _exceptions(model_admin: ModelAdmin, request: HttpRequest) -> list[Exempt]:
    found = Spider.objects.filter(kind=Spider.Kind.EXCEPTION).order_by("pattern")
    return [
        Exempt(spider, _url(model_admin, spider), _may_undo(model_admin, request, spider))
        for spider in found[:MAX_EXCEPTIONS]
    ]


def _act(model_admin: ModelAdmin, request: HttpRequest) -> None:
    if "count" in request.POST:
        _count(model_admin, request, request.POST["count"])
    elif KEY.fullmatch(request.POST.get("undo", "")):
        _undo(model_admin, request, int(request.POST["undo"]))


def _count(model_admin: ModelAdmin, request: HttpRequest, text: str) -> None:
    """Make an exception of a pattern that has kept something out."""
    shown = dict(_totals(today())[:MAX_PATTERNS])
    if text not in shown or text == spiders.MISSING:
        model_admin.message_user(request, gettext("There is no such pattern."), messages.WARNING)
        return
    before = reclassify.spider_of(text)
    if not _may_except(model_admin, request, before):
        raise PermissionDenied
    try:
        spider = reclassify.except_pattern(text)
    except (ValidationError, IntegrityError) as error:
        model_admin.message_user(request, _words_of(error), messages.ERROR)
        return
    if before is None:
        model_admin.log_addition(request, spider, [{"added": {}}])
    else:
        model_admin.log_change(request, spider, [{"changed": {"fields": ["kind", "notes"]}}])
    done = gettext("What “%(pattern)s” kept out is counted from now on.") % {"pattern": text}
    model_admin.message_user(request, done, messages.SUCCESS)


def _words_of(error: Exception) -> str:
    return " ".join(error.messages) if isinstance(error, ValidationError) else str(error)


def _undo(model_admin: ModelAdmin, request: HttpRequest, key: int) -> None:
    spider = Spider.objects.filter(pk=key).first()
    if spider is None or reclassify.kind_before(spider) is None:
        text = gettext("It is not known what that was before.")
        model_admin.message_user(request, text, messages.WARNING)
        return
    if not _may_undo(model_admin, request, spider):
        raise PermissionDenied
    if reclassify.kind_before(spider) == reclassify.BUILT_IN:
        model_admin.log_deletions(request, Spider.objects.filter(pk=key))
    else:
        model_admin.log_change(request, spider, [{"changed": {"fields": ["kind", "notes"]}}])
    reclassify.undo(spider)
    done = gettext("“%(pattern)s” keeps out again what it did.") % {"pattern": spider.pattern}
    model_admin.message_user(request, done, messages.SUCCESS)
