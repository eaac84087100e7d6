"""The models: amounts that wait to be told to a service."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ForwardedAmount(models.Model):
    """An amount that a fold has added to a counter, and a service is still to be told of.

    Written in the transaction of the fold, and removed once the service has taken it.
    """

    service = models.CharField(_("service"), max_length=100)
    data_class = models.CharField(_("data class"), max_length=255)
    counter = models.CharField(_("counter"), max_length=100)
    model = models.CharField(_("model"), max_length=255)
    object_id = models.CharField(_("object id"), max_length=255)
    period = models.CharField(_("period"), max_length=40, blank=True)
    #: in decimals, since a counter may be of any kind
    amount = models.CharField(_("amount"), max_length=150)
    folded_at = models.DateTimeField(_("folded at"))
    due_at = models.DateTimeField(_("due at"))
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)

    class Meta:
        verbose_name = _("forwarded amount")
        verbose_name_plural = _("forwarded amounts")
        indexes = [models.Index(fields=["service", "due_at", "id"], name="trackable_forward_due")]

    def __str__(self) -> str:
        return f"{self.amount} to {self.counter} of {self.model} {self.object_id}: {self.service}"
