"""Relations: what the beacons of a page refer to, found with a query for each model."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.db import Error, connections, router, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import Truncator

from trackable.contrib.beacons import arrivals

if TYPE_CHECKING:
    from trackable.contrib.beacons.models import Beacon

    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

logger = logging.getLogger(__name__)

NAMES: Final = ("target", "source", "entity")
#: the label of what was of a model that has gone with its content type
UNKNOWN: Final = "?"
MAX_TEXT_LENGTH: Final = 80

#: a content type, and a key as beacons have it
Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Related:
    """What a beacon refers to: its model's label and key; ``obj`` is ``None`` where it is gone."""

    label: str
    key: str
    obj: Model | None = None

    @property
    def text(self) -> str:
        """What the object says that it is, or if it says nothing, its label and key."""
        if self.obj is not None:
            try:
                if text := str(self.obj).strip():
                    return Truncator(text).chars(MAX_TEXT_LENGTH)
            except Exception as error:  # the project's own code, for one of many rows
                logger.warning("A %s has no text: %s", self.label, ascii(type(error).__name__))
        return f"{self.label} #{self.key}"


def find(beacons: Iterable[Beacon]) -> dict[Key, Related]:
    """Return what beacons refer to, by content type and key."""
    groups: dict[int, set[str]] = defaultdict(set)
    alias = None
    for beacon in beacons:
        alias = beacon._state.db
        for name in NAMES:
            if type_id := getattr(beacon, f"{name}_type_id"):
                groups[type_id].add(getattr(beacon, f"{name}_id"))
    types = ContentType.objects.db_manager(alias)
    found: dict[Key, Related] = {}
    for type_id, keys in groups.items():
        found |= _find_of_type(types.get_for_id(type_id), keys)
    return found


def of(beacon: Beacon, name: str, found: Mapping[Key, Related]) -> Related | None:
    """Return what a beacon refers to by that name; of a model that is gone the key is left."""
    type_id, key = getattr(beacon, f"{name}_type_id"), getattr(beacon, f"{name}_id")
    if type_id is None:
        return Related(UNKNOWN, key) if key else None
    return found[type_id, key]


def _find_of_type(content_type: ContentType, texts: Iterable[str]) -> dict[Key, Related]:
    label = f"{content_type.app_label}.{content_type.model}"
    model = content_type.model_class()
    keys = {text: _key_of(model, text) for text in texts} if model else {}
    objects = _in_bulk(model, {key for key in keys.values() if key is not None}) if model else {}
    return {
        (content_type.pk, text): Related(label, text, objects.get(keys.get(text))) for text in texts
    }


def _in_bulk(model: type[Model], keys: Iterable[Any]) -> dict[Any, Model]:
    alias = router.db_for_read(model)
    # An error must not spoil a transaction that the page is in.
    is_within = connections[alias].in_atomic_block
    try:
        with transaction.atomic(using=alias) if is_within else nullcontext():
            return model._base_manager.using(alias).in_bulk(list(keys))
    except Error as error:  # it has no table, or none of this shape
        logger.warning("%s cannot be read: %s", model._meta.label, ascii(str(error)))
        return {}


def _key_of(model: type[Model], text: str) -> Any:
    try:
        return arrivals.key_of(model, text)
    except ValueError:
        return None


def link(model_admin: ModelAdmin, request: HttpRequest, related: Related) -> str:
    """Return a text, as a link to the object's own page if this person may see that."""
    url = _url_of(model_admin, request, related.obj) if related.obj is not None else None
    return format_html('<a href="{}">{}</a>', url, related.text) if url else related.text


def _url_of(model_admin: ModelAdmin, request: HttpRequest, obj: Model) -> str | None:
    site = model_admin.admin_site
    try:
        if not site.get_model_admin(type(obj)).has_view_or_change_permission(request, obj):
            return None
        name = f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change"
        return reverse(name, args=[quote(obj.pk)], current_app=site.name)
    except (NotRegistered, NoReverseMatch):
        return None
