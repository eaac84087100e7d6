"""Makes the tables of django-hitcount, which is not installed, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from trackable_tests.hitcounts.tables import MODELS


@pytest.fixture(scope="package", autouse=True)
def hitcount_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Outside of any test, as some databases end its transaction with the first table."""
    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            for model in MODELS:
                editor.create_model(model)
        yield
        with connection.schema_editor() as editor:
            for model in MODELS:
                editor.delete_model(model)
