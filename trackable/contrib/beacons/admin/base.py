"""What the admin pages of this app share: they show what folds have written, and remove it."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import ProtectedError, QuerySet, RestrictedError
from django.db.models.deletion import Collector
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from trackable.admin.paging import MAX_LISTED, BoundedPaginator
from trackable.admin.readonly import ReadOnlyAdmin
from trackable.contrib.beacons.admin.paging import BoundedChangeList
from trackable.folding.chunks import chunked

logger = logging.getLogger(__name__)

ROWS_AT_A_TIME: Final = 500
KEY: Final = re.compile(r"\d{1,18}", re.ASCII)
TOO_MANY: Final = _(
    "More than %(number)d are selected, and nothing is deleted: filter for fewer, or have"
    " purge_beacons remove what is old."
)
NOT_ALLOWED: Final = _("Nothing is deleted: you may not delete what would go along (%(models)s).")
REFERRED: Final = _("Nothing is deleted: other rows refer to what is selected.")


class VisitAdmin(ReadOnlyAdmin):
    """Shows rows of long tables, and reads no more of these than a page shows."""

    paginator = BoundedPaginator
    list_filter: ClassVar[Any] = []
    show_facets = admin.ShowFacets.NEVER
    actions = ["delete_selected"]

    class Media:
        css = {"all": ["trackable_beacons/admin.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        return BoundedChangeList

    def attach(self, request: HttpRequest, rows: Any) -> None:
        """Put into the rows of a page what its columns show."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Return what a page that asks shows: not each row that joins entities and addresses."""
        collector = Collector(using=objs[0]._state.db, origin=objs)
        protected: list[str] = []
        try:
            collector.collect(objs)
        except ProtectedError as error:
            protected = [str(row) for row in error.protected_objects]
        except RestrictedError as error:
            protected = [str(row) for row in error.restricted_objects]
        counts = {m._meta.verbose_name_plural: len(rows) for m, rows in collector.data.items()}
        for rows in collector.fast_deletes:
            if not rows.model._meta.auto_created:
                counts[rows.model._meta.verbose_name_plural] = rows.count()
        refused = self._refused(request, collector)
        return [str(obj) for obj in objs], counts, refused, protected

    def _refused(self, request: HttpRequest, collector: Collector) -> set[str]:
        """Return the names of models whose rows would go along, and may not be deleted."""
        along = {*collector.data, *(rows.model for rows in collector.fast_deletes)} - {self.model}
        return {str(m._meta.verbose_name) for m in along if not self._may_delete(request, m)}

    def _may_delete(self, request: HttpRequest, model: Any) -> bool:
        if not self.admin_site.is_registered(model):
            return True
        return self.admin_site.get_model_admin(model).has_delete_permission(request)

    @admin.action(description=_("Delete the selected rows"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Delete; stands for the admin's own action, which names each row on a page that asks.

        What comes while the question is asked is not what was asked about.
        """
        newest = request.POST.get("newest", "")
        if KEY.fullmatch(newest):
            queryset = queryset.filter(pk__lte=int(newest))
        keys = list(queryset.values_list("pk", flat=True)[: MAX_LISTED + 1])
        if len(keys) > MAX_LISTED:
            self.message_user(request, TOO_MANY % {"number": MAX_LISTED}, messages.ERROR)
            return None
        if refused := self._refused_for(request, queryset.db, keys):
            self.message_user(
                request, NOT_ALLOWED % {"models": ", ".join(sorted(refused))}, messages.ERROR
            )
            return None
        if not KEY.fullmatch(newest):
            return self._ask(request, number=len(keys), newest=max(keys, default=0))
        self._delete(request, queryset.db, keys)
        return None

    def _refused_for(self, request: HttpRequest, alias: str, keys: list[Any]) -> set[str]:
        refused: set[str] = set()
        for chunk in chunked(sorted(keys), ROWS_AT_A_TIME):
            collector = Collector(using=alias)
            with suppress(ProtectedError, RestrictedError):  # of these the deletion itself tells
                collector.collect(self.model._base_manager.using(alias).filter(pk__in=chunk))
            refused |= self._refused(request, collector)
        return refused

    def _delete(self, request: HttpRequest, alias: str, keys: list[Any]) -> None:
        label = self.opts.label
        number = 0
        try:
            with transaction.atomic(using=alias):
                for chunk in chunked(sorted(keys), ROWS_AT_A_TIME):
                    rows = self.model._base_manager.using(alias).filter(pk__in=chunk)
                    number += rows.delete()[1].get(label, 0)
        except (ProtectedError, RestrictedError):
            self.message_user(request, REFERRED, messages.ERROR)
            return
        logger.info("%s has deleted %d rows of %s.", ascii(str(request.user)), number, label)
        text = ngettext("%d row was deleted.", "%d rows were deleted.", number)
        self.message_user(request, text % number, messages.SUCCESS)

    def _ask(self, request: HttpRequest, **numbers: int) -> HttpResponse:
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
        return TemplateResponse(request, "admin/trackable_beacons/delete_selected.html", context)
