"""The models: partners and what they subscribe to, whom they sent, and calls that tell them."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable.contrib.affiliations import callback_urls, conf
from trackable.contrib.affiliations.exceptions import InvalidCallBackURL
from trackable.contrib.affiliations.querystrings import UID, UID_LENGTH
from trackable.models import TrackableTimeSeriesData

SECRET_LENGTH: Final = 43  # of 62 letters and digits: 256 bits


def new_uid() -> str:
    """Return what tells a new partner from others in a query string."""
    return get_random_string(UID_LENGTH)


def new_secret() -> str:
    """Return what the calls to a new partner are signed with."""
    return get_random_string(SECRET_LENGTH)


class Partner(models.Model):
    """Somebody who sends visitors, whose links carry the ``uid``.

    One that is not active gets no visitors and is not called. One with visitors cannot be
    deleted: what it has earned would go too.
    """

    uid = models.CharField(
        _("uid"),
        max_length=UID_LENGTH,
        unique=True,
        editable=False,
        default=new_uid,
        validators=[RegexValidator(UID)],
    )
    name = models.CharField(_("name"), max_length=250)
    active = models.BooleanField(_("active"), default=False)
    secret = models.CharField(
        _("secret"),
        max_length=64,
        editable=False,
        default=new_secret,
        help_text=_("Signs the calls to this partner, who needs it to verify them."),
    )

    class Meta:
        verbose_name = _("partner")
        verbose_name_plural = _("partners")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.uid = self.uid or new_uid()
        super().save(*args, **kwargs)


class Subscription(models.Model):
    """Says that a partner is called when a trigger completes, and where."""

    CALLBACK_URL_PLACEHOLDER: ClassVar[str] = callback_urls.PLACEHOLDER

    partner = models.ForeignKey(
        Partner,
        on_delete=models.CASCADE,
        related_name="subscriptions",
        db_index=False,  # the unique key starts with it
        verbose_name=_("partner"),
    )
    trigger = models.CharField(
        _("trigger"), max_length=conf.MAX_TRIGGER_LENGTH, choices=conf.trigger_choices
    )
    callback_url = models.CharField(
        _("callback URL"),
        max_length=callback_urls.MAX_LENGTH,
        help_text=_("With {visitor_id} where the visitor's number is to be."),
    )

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["partner", "trigger"]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "trigger"], name="trackable_affiliate_subscribed"
            )
        ]

    def __str__(self) -> str:
        return self.trigger

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save. Raises ``InvalidCallBackURL``; one without any URL calls nobody."""
        if self.callback_url:
            self.validate_callback_url()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if self.callback_url:
            try:
                self.validate_callback_url()
            except InvalidCallBackURL as error:
                raise ValidationError({"callback_url": str(error)}) from error

    def validate_callback_url(self) -> None:
        """Raise ``InvalidCallBackURL`` unless this is a URL that can be called."""
        callback_urls.validate(self.callback_url)


class Visitor(models.Model):
    """Somebody whom a partner sent here, and when that led to what the partner is told of."""

    partner = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        related_name="visitors",
        db_index=False,  # an index starts with it
        verbose_name=_("partner"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="affiliate_visitors",
        verbose_name=_("user"),
    )
    referred_on = models.DateTimeField(_("referred on"), default=timezone.now, editable=False)
    entry_point = models.TextField(
        _("entry point"), blank=True, help_text=_("Where the visitor came to, without the uid.")
    )
    successful_on = models.DateTimeField(_("successful on"), null=True, blank=True)
    erased_on = models.DateTimeField(
        _("erased on"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When what is personal was removed; no trigger completes from then on."),
    )

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")
        get_latest_by = "referred_on"
        indexes = [
            models.Index(fields=["partner", "referred_on"], name="trackable_affiliate_referred"),
            models.Index(fields=["referred_on", "id"], name="trackable_affiliate_visited"),
        ]

    def __str__(self) -> str:
        return self.entry_point or gettext("Visitor %(key)s") % {"key": self.pk}

    def succeed(self, user: Any = None) -> bool:
        """Note the time of the success, and of whom, once; tell whether this call did it.

        Later calls change nothing, also where two come at once. Somebody anonymous is nobody.
        """
        if self.successful_on is not None:
            return False
        changes: dict[str, Any] = {"successful_on": timezone.now()}
        if user is not None and user.is_authenticated:
            changes["user"] = user
        rows = type(self)._base_manager.using(self._state.db)
        if not rows.filter(pk=self.pk, successful_on=None).update(**changes):
            self.refresh_from_db(fields=["successful_on", "user"])
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True


class Callback(models.Model):
    """A call that a partner is owed: written with the success, made when that is committed.

    One for a visitor and trigger, so that what fires twice calls once.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("given up")
        REFUSED = "refused", _("forbidden address")

    visitor = models.ForeignKey(
        Visitor,
        on_delete=models.CASCADE,
        related_name="callbacks",
        db_index=False,  # the unique key starts with it
        verbose_name=_("visitor"),
    )
    subscription = models.ForeignKey(
        Subscription,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="callbacks",
        verbose_name=_("subscription"),
    )
    trigger = models.CharField(_("trigger"), max_length=conf.MAX_TRIGGER_LENGTH)
    url = models.TextField(_("URL"), blank=True, help_text=_("As it is called."))
    key = models.UUIDField(
        _("key"),
        unique=True,
        editable=False,
        default=uuid.uuid4,
        help_text=_("The same in each attempt, so that the partner can tell it is one call."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    due_at = models.DateTimeField(
        _("due at"), default=timezone.now, help_text=_("When it is tried next, if it is pending.")
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING
    )
    attempts_made = models.PositiveIntegerField(_("attempts made"), default=0)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        get_latest_by = "created_at"
        constraints = [
            models.UniqueConstraint(
                fields=["visitor", "trigger"], name="trackable_affiliate_calls_once"
            )
        ]
        indexes = [
            models.Index(fields=["state", "due_at"], name="trackable_affiliate_due"),
            models.Index(fields=["created_at", "id"], name="trackable_affiliate_created"),
        ]

    def __str__(self) -> str:
        return gettext("%(trigger)s of visitor %(key)s") % {
            "trigger": self.trigger,
            "key": self.visitor_id,
        }


class Attempt(models.Model):
    """One try to make a call, and what came of it."""

    callback = models.ForeignKey(
        Callback, on_delete=models.CASCADE, related_name="attempts", verbose_name=_("callback")
    )
    made_at = models.DateTimeField(_("made at"), default=timezone.now)
    status_code = models.PositiveSmallIntegerField(_("status code"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True)
    duration_ms = models.PositiveIntegerField(_("duration in milliseconds"), default=0)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["made_at", "pk"]

    def __str__(self) -> str:
        return f"{self.made_at:%Y-%m-%d %H:%M:%S} {self.status_code or self.error}"


class PartnerData(TrackableTimeSeriesData):
    """How many visitors a partner sent on a day, and how many of any day succeeded on it."""

    parent = models.ForeignKey(
        Partner, on_delete=models.CASCADE, related_name="data", verbose_name=_("partner")
    )
    referrals = models.PositiveIntegerField(_("referrals"), default=0)
    conversions = models.PositiveIntegerField(_("conversions"), default=0)

    class Meta:
        verbose_name = _("data of a partner")
        verbose_name_plural = _("data of partners")
