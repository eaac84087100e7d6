"""The page of the report by partner, and its download."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable.contrib.affiliations import reports, timespans
from trackable.contrib.affiliations.reports import Report
from trackable.contrib.affiliations.timespans import DAY, MAX_PERIODS, MONTH, WHOLE, Timespan

TEMPLATE: Final = "admin/trackable_affiliations/partner/report.html"
#: The time that is shown if none is asked for.
DEFAULT_DAYS: Final = 30
#: A day before and one behind can be told in every time zone.
FIRST_DAY: Final = date(1970, 1, 2)
LAST_DAY: Final = date(9999, 12, 30)
MAX_SEARCH_LENGTH: Final = 250


def _day(label: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, widget=widget, input_formats=["%Y-%m-%d"])


class ReportForm(forms.Form):
    """What a report is asked for."""

    first = _day(_("From"))
    last = _day(_("to"))
    by = forms.ChoiceField(
        label=_("By"),
        choices=[
            (WHOLE, _("partner")),
            (MONTH, _("partner and month")),
            (DAY, _("partner and day")),
        ],
    )
    search = forms.CharField(label=_("Partner"), required=False, max_length=MAX_SEARCH_LENGTH)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first"), cleaned.get("last")
        if first is None or last is None:
            return cleaned
        if not FIRST_DAY <= first <= last <= LAST_DAY:
            raise forms.ValidationError(_("The last day must not be before the first one."))
        span = Timespan(first, last, cleaned.get("by", WHOLE))
        if span.number > MAX_PERIODS:
            text = _("That is more than %(number)d periods: choose a shorter time, or months.")
            raise forms.ValidationError(text % {"number": MAX_PERIODS})
        return cleaned

    @property
    def report(self) -> Report:
        data = self.cleaned_data
        return Report(Timespan(data["first"], data["last"], data["by"]), data["search"])


def view(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> HttpResponseBase:
    """Return the page, or the whole report as CSV."""
    form = ReportForm({**_defaults(), **request.GET.dict()})
    if form.is_valid() and request.GET.get("format") == "csv":
        return _download(form.report)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": gettext("Report by partner"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "form": form,
    }
    if form.is_valid():
        context |= _found(form.report, request.GET.get("page", "1"))
    return TemplateResponse(request, TEMPLATE, context)


def _defaults() -> dict[str, Any]:
    today = timespans.today()
    first = today - timedelta(days=DEFAULT_DAYS - 1)
    return {"first": first.isoformat(), "last": today.isoformat(), "by": WHOLE}


def _found(report: Report, number: str) -> dict[str, Any]:
    paginator = Paginator(report.partner_ids(), report.partners_at_a_time)
    page = paginator.get_page(number)
    return {
        "page": page,
        "page_range": paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
        "rows": report.rows(list(page.object_list)),
        "total": report.total(),
        "is_by_period": report.span.by != WHOLE,
    }


def _download(report: Report) -> HttpResponseBase:
    name = f"partners-{report.span.first}-{report.span.last}.csv"
    response = StreamingHttpResponse(reports.as_csv(report), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
