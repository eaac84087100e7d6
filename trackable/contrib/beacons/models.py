"""The models: beacons, and a ready-made entity that is known by its addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.checks import CheckMessage
from django.db import models, router, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackable import addresses
from trackable.contrib.beacons import conf
from trackable.contrib.beacons.arrivals import MAX_KEY_LENGTH
from trackable.contrib.beacons.routing import check_routing
from trackable.models import TrackableRecord

# What writes is imported where it is used: every process has these models, and few fold.


def _type(name: Any) -> Any:
    """Return the field for the model of a relation.

    Beacons outlive models that are gone: what came is a fact.
    """
    return models.ForeignKey(
        ContentType,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # an index starts with it
        verbose_name=name,
    )


def _key(name: Any) -> Any:
    return models.CharField(name, max_length=MAX_KEY_LENGTH, blank=True, default="")


class Beacon(TrackableRecord):
    """A visit: from a source, by an entity, to a target. Each is any object, or is missing."""

    time_created = models.DateTimeField(_("time"), default=timezone.now)

    target_type = _type(_("model of the target"))
    target_id = _key(_("key of the target"))
    target = GenericForeignKey("target_type", "target_id")

    source_type = _type(_("model of the source"))
    source_id = _key(_("key of the source"))
    source = GenericForeignKey("source_type", "source_id")

    entity_type = _type(_("model of the entity"))
    entity_id = _key(_("key of the entity"))
    entity = GenericForeignKey("entity_type", "entity_id")

    class Meta:
        verbose_name = _("beacon")
        verbose_name_plural = _("beacons")
        get_latest_by = "time_created"
        # With the time and the key, so that lists of a million need no sorting.
        indexes = [
            models.Index(fields=["time_created", "id"], name="trackable_beacon_time"),
            *(
                models.Index(
                    fields=[f"{name}_type", f"{name}_id", "time_created", "id"],
                    name=f"trackable_beacon_{name}",
                )
                for name in ("target", "source", "entity")
            ),
        ]

    def __str__(self) -> str:
        moment = self.time_created
        local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
        return gettext("Beacon of %(time)s") % {"time": f"{local:%Y-%m-%d %H:%M:%S}"}

    @classmethod
    def write_records(cls, alias: str, found: Sequence[dict[str, Any]]) -> None:
        """Write beacons, and make the entities that they bring, in the transaction at hand.

        Raises ``ValueError`` for what is no beacon. An entity of a model that the routers send
        to another database is made there, outside of this transaction: see ``entities``.
        """
        from trackable.contrib.beacons import writing

        writing.write(alias, cls, found)


class IP(models.Model):
    """An address, anonymised unless the settings say otherwise, and when it was last seen."""

    address = models.GenericIPAddressField(_("address"), unique=True, unpack_ipv4=True)
    owned_time = models.DateTimeField(_("last seen"), default=timezone.now)

    class Meta:
        verbose_name = _("IP")
        verbose_name_plural = _("IPs")
        indexes = [models.Index(fields=["owned_time", "id"], name="trackable_beacon_ip_time")]

    def __str__(self) -> str:
        return self.address


class IPEntity(models.Model):
    """An entity of which nothing is known but the addresses that it came from."""

    ip_addresses = models.ManyToManyField(
        IP, related_name="entities", blank=True, verbose_name=_("IPs")
    )
    #: absent if it never came
    seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)

    class Meta:
        verbose_name = _("IP entity")
        verbose_name_plural = _("IP entities")
        indexes = [models.Index(fields=["seen_at", "id"], name="trackable_beacon_entity_time")]

    def __str__(self) -> str:
        return gettext("IP entity %(key)s") % {"key": self.pk}

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(**kwargs), *check_routing()]

    @staticmethod
    def beacon_snapshot(request: HttpRequest) -> dict[str, Any]:
        """Return what is kept of a request: its address as text, or ``None``. Runs no SQL.

        Anonymised unless ``BEACON_ANONYMISE_ADDRESSES`` is false, before it goes anywhere.
        """
        address = addresses.of_request(request)
        if address is not None and conf.get("BEACON_ANONYMISE_ADDRESSES"):
            address = addresses.anonymised(address)
        return {"address": None if address is None else str(address)}

    def beacon_record(self, snapshot: dict[str, Any]) -> None:
        """Note at once that this entity came, with what ``beacon_snapshot`` has seen of it.

        Raises ``ValueError`` for another snapshot.
        """
        alias = self._state.db or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=alias):
            if self._state.adding:
                self.save(using=alias)
            self.beacon_record_many(alias, [(self.pk, snapshot, timezone.now())])
        self.refresh_from_db(using=alias, fields=["seen_at"])

    def beacon_update(self, request: HttpRequest) -> None:
        """Note at once that this entity came with a request."""
        self.beacon_record(self.beacon_snapshot(request))

    @classmethod
    def beacon_record_many(
        cls, alias: str, found: Sequence[tuple[int | None, Any, datetime]]
    ) -> list[int]:
        """Note that entities came: the key of each or ``None``, its snapshot, and the time.

        Returns their keys, in order: those given, where there are such entities, else new ones.
        Must run in a transaction. Raises ``ValueError`` for what is no snapshot.
        """
        from trackable.contrib.beacons import sightings

        return sightings.record(alias, cls, found)
