"""The admin pages of the quarantine: what could not be folded, to look at, fold again or purge."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.db import Error, connections, router, transaction
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Left, Length
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from trackable.admin.readonly import DataClassFilter, ReadOnlyAdmin
from trackable.exceptions import TrackableError
from trackable.models import QuarantinedMessage

if TYPE_CHECKING:
    from trackable.folding.retry import RetryReport

# The fold is imported where it is used: every process has these pages, and few fold.

logger = logging.getLogger(__name__)

MAX_REASON_LENGTH: Final = 120
MAX_PAYLOAD_LENGTH: Final = 10_000
FAILED: Final = _("The database refuses: %(error)s. What is not folded by now is still here.")
#: What is to be done with messages that may be counted already.
FOLD, LEAVE = "fold", "leave"
KEY: Final = re.compile(r"\d{1,18}", re.ASCII)


class DoubtFilter(admin.SimpleListFilter):
    """By whether the ledger can tell that they are not counted."""

    title = _("counted")
    parameter_name = "counted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("No")), ("maybe", _("Maybe: older than the ledger"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "no":
                return queryset.exclude(_in_doubt())
            case "maybe":
                return queryset.filter(_in_doubt())
        return queryset


def _in_doubt() -> Q:
    from trackable.folding.quarantine import OLDER

    return Q(reason__startswith=OLDER)


@admin.register(QuarantinedMessage)
class QuarantinedMessageAdmin(ReadOnlyAdmin):
    """Shows what could not be folded, and why; purging removes it for good.

    Folding again needs a permission of its own, because nobody may change what is kept here.
    """

    list_display = ["short_reason", "data_class", "increments", "age", "opened", "batch_id"]
    list_filter = [DataClassFilter, DoubtFilter, "quarantined_at", "retried_at"]
    fields = [
        "reason",
        "data_class",
        "increments",
        "quarantined_at",
        "retried_at",
        "opened",
        "batch_id",
        "shown_payload",
    ]
    search_fields = ["batch_id"]
    search_help_text = _("Search for the id of a batch, or for a part of the reason.")
    actions = ["retry_selected", "delete_selected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the payloads where they are: one may have a MiB."""
        return super().get_queryset(request).defer("payload")

    def matching(self, search_term: str) -> Q:
        return super().matching(search_term) | Q(reason__icontains=search_term.strip())

    def has_retry_permission(self, request: HttpRequest) -> bool:
        codename = get_permission_codename("retry", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    # A retry commits by itself, whatever ATOMIC_REQUESTS says.
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, extra_context)

    for _alias in connections:
        changelist_view = transaction.non_atomic_requests(using=_alias)(changelist_view)

    # the actions

    @admin.action(description=_("Fold the selected messages again"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Retry; asks what to do with those that may be counted already."""
        in_doubt = queryset.filter(_in_doubt()).count()
        choice = request.POST.get("in_doubt")
        if in_doubt and choice not in (FOLD, LEAVE):
            return self._ask(request, "retry", number=queryset.count(), in_doubt=in_doubt)
        report = self._retry(request, queryset, older_than_ledger=choice == FOLD)
        logger.info("%s has folded quarantined messages again: %s", request.user, report)
        for level, text in _sentences(report):
            self.message_user(request, text, level)
        return None

    def _retry(
        self, request: HttpRequest, queryset: QuerySet[Any], older_than_ledger: bool
    ) -> RetryReport:
        """Return what was done, also if it came to an early end."""
        from trackable.folding.retry import RetryReport, retry

        report = RetryReport()

        def note(so_far: RetryReport) -> None:
            nonlocal report
            report = so_far

        try:
            alias = router.db_for_write(QuarantinedMessage)
            note(retry(alias, queryset, older_than_ledger=older_than_ledger, progress=note))
        except (Error, TrackableError) as error:
            logger.exception("The rest of the quarantined messages is not folded again.")
            self.message_user(request, FAILED % {"error": error}, messages.ERROR)
        return report

    @admin.action(description=_("Purge the selected messages"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Purge; stands for the admin's own action, which names each row on a page that asks.

        What comes while the question is asked is not what was asked about.
        """
        newest = request.POST.get("newest", "")
        if not KEY.fullmatch(newest):
            found = queryset.order_by().aggregate(number=Count("pk"), newest=Max("pk"))
            return self._ask(request, "purge", **found)
        number, _by_model = queryset.order_by().filter(pk__lte=int(newest)).delete()
        logger.info("%s has purged %d quarantined messages.", request.user, number)
        text = ngettext("%d message was purged.", "%d messages were purged.", number)
        self.message_user(request, text % number, messages.SUCCESS)
        return None

    def _ask(self, request: HttpRequest, name: str, **numbers: int) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **numbers,
            "title": gettext("Are you sure?"),
            "opts": self.opts,
            "posted": [
                (name, value)
                for name, values in request.POST.lists()
                for value in values
                if name != "csrfmiddlewaretoken"
            ],
        }
        template = f"admin/trackable/quarantinedmessage/{name}.html"
        return TemplateResponse(request, template, context)

    # the columns

    @admin.display(description=_("reason"))
    def short_reason(self, message: QuarantinedMessage) -> str:
        return Truncator(message.reason).chars(MAX_REASON_LENGTH)

    @admin.display(description=_("age"), ordering="quarantined_at")
    def age(self, message: QuarantinedMessage) -> str:
        return timesince(message.quarantined_at, timezone.now())

    @admin.display(description=_("emitted from"))
    def opened(self, message: QuarantinedMessage) -> str:
        from trackable.folding.quarantine import opened_at

        moment = opened_at(message)
        if moment is None:
            return str(self.get_empty_value_display())
        local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
        return formats.date_format(local, "DATETIME_FORMAT")

    @admin.display(description=_("payload"))
    def shown_payload(self, message: QuarantinedMessage) -> str:
        stored = QuarantinedMessage._base_manager.using(message._state.db).filter(pk=message.pk)
        start, length = stored.values_list(
            Left("payload", MAX_PAYLOAD_LENGTH), Length("payload")
        ).get()
        shown = format_html('<pre class="trackable-payload">{}</pre>', start)
        if length <= MAX_PAYLOAD_LENGTH:
            return shown
        note = gettext("The first %(shown)d of %(length)d characters.")
        return format_html("{}<p>{}</p>", shown, note % {"shown": len(start), "length": length})


def _sentences(report: RetryReport) -> Iterator[tuple[int, str]]:
    """Yield what a retry did as a person is told it, with the level of each message."""
    if report.increments or report.folded:
        text = ngettext("%d increment was folded.", "%d increments were folded.", report.increments)
        yield messages.SUCCESS, text % report.increments
    if report.returned:
        one = "%d message came back: its reason says why it, or a part of it, is still unfit."
        many = "%d messages came back: their reasons say why they, or parts, are still unfit."
        yield messages.WARNING, ngettext(one, many, report.returned) % report.returned
    if report.left:
        one = "%d message was left: it may be counted already."
        many = "%d messages were left: they may be counted already."
        yield messages.INFO, ngettext(one, many, report.left) % report.left
    if others := report.gone + report.known:
        one = "%d message was counted, moved or purged before."
        many = "%d messages were counted, moved or purged before."
        yield messages.INFO, ngettext(one, many, others) % others
