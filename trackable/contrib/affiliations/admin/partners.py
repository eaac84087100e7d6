"""The admin pages of partners: who they are, what they subscribe to, and what they bring."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import router
from django.db.models import Sum
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable.contrib.affiliations import conf, timespans
from trackable.contrib.affiliations.admin import report
from trackable.contrib.affiliations.admin.lists import AttachingChangeList, SecretKeepingAdmin
from trackable.contrib.affiliations.models import Partner, PartnerData, Subscription, Visitor

if TYPE_CHECKING:
    Inline = admin.TabularInline[Any, Any]
    ModelForm = forms.ModelForm[Any]
else:
    Inline = admin.TabularInline
    ModelForm = forms.ModelForm

#: The list tells what came on so many days, today among them.
DAYS: Final = 30


class SubscriptionForm(ModelForm):
    """Keeps a trigger that is not configured any more: its partner can be saved all the same."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known, trigger = conf.trigger_names(), self.instance.trigger
        self._kept = trigger if trigger and trigger not in known else None
        field: Any = self.fields.get("trigger")
        if self._kept and field is not None:
            label = gettext("%(trigger)s (not configured)") % {"trigger": trigger}
            field.choices = [*field.choices, (trigger, label)]

    def _get_validation_exclusions(self) -> set[str]:
        """Exclude what the model would say of a choice that is none."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        is_kept = self._kept is not None and self.cleaned_data.get("trigger") == self._kept
        return excluded | {"trigger"} if is_kept else excluded


class SubscriptionInline(Inline):
    """What a partner is called for, and where."""

    model = Subscription
    form = SubscriptionForm
    extra = 1


@admin.register(Partner)
class PartnerAdmin(SecretKeepingAdmin):
    """Edits partners, and tells what they bring.

    The secret is shown to those alone who may change its partner: who has it can sign calls.
    """

    list_display = ["name", "uid", "active", "referrals", "conversions"]
    list_filter = ["active"]
    search_fields = ["name", "uid"]
    search_help_text = _("Search for a part of the name or the uid.")
    sortable_by = ["name", "uid", "active"]
    readonly_fields = ["uid", "secret"]
    inlines = [SubscriptionInline]
    actions = None
    list_per_page = 50

    class Media:
        css = {"all": ["trackable_affiliations/admin.css"]}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.report_view)
        name = "trackable_affiliations_partner_report"
        return [path("report/", view, name=name), *super().get_urls()]

    def report_view(self, request: HttpRequest) -> HttpResponseBase:
        """Show the report, or send it as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return report.view(self, request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AttachingChangeList

    def attach(self, rows: Any) -> None:
        """Put into the partners of a page what they brought lately, with one query."""
        since = timespans.today() - timedelta(days=DAYS - 1)
        data = PartnerData._base_manager.using(router.db_for_read(PartnerData)).filter(
            parent__in=[row.pk for row in rows], collected_during__gte=since
        )
        sums = data.values("parent").annotate(Sum("referrals"), Sum("conversions")).order_by()
        found = {each["parent"]: each for each in sums}
        for row in rows:
            row.lately = found.get(row.pk, {})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ["name", "active"]
        if obj is None:
            return fields  # the rest is made with it
        return [*fields, "uid", *(["secret"] if self.has_change_permission(request, obj) else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One with visitors stays, and to say so nobody has to look at each of them."""
        if not super().has_delete_permission(request, obj):
            return False
        visitors = Visitor._base_manager.using(router.db_for_read(Visitor))
        return obj is None or not visitors.filter(partner=obj).exists()

    # the columns

    @admin.display(description=_("referrals in 30 days"))
    def referrals(self, partner: Any) -> int:
        return int(partner.lately.get("referrals__sum", 0))

    @admin.display(description=_("conversions in 30 days"))
    def conversions(self, partner: Any) -> int:
        return int(partner.lately.get("conversions__sum", 0))
