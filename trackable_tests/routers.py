"""Sends models to the databases that a test wants them in."""

from typing import Any

from django.conf import settings
from django.db.models import Model


class SettingRouter:
    """Reads ``TEST_DATABASE_OF``; every table exists in every database."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return settings.TEST_DATABASE_OF.get(model._meta.label)

    db_for_write = db_for_read

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool:
        return True
