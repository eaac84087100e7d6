"""The databases are emptied after tests that commit."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import TransactionTestCase

from trackable_tests.emptying import Emptier
from trackable_tests.testapp.models import Page, PageData

pytestmark = pytest.mark.django_db(transaction=True)


def test_rows_go_and_what_django_filled_in_stays() -> None:
    emptier, types = Emptier(connection), set(ContentType.objects.values_list("pk", flat=True))
    page = Page.objects.create(title="a", slug="a")
    PageData.objects.create(parent=page, collected_during="2026-01-01")
    assert emptier.empty()
    assert [model.objects.count() for model in (Page, PageData)] == [0, 0]
    assert set(ContentType.objects.values_list("pk", flat=True)) == types


@pytest.mark.parametrize("model", [ContentType, Permission])
def test_what_django_filled_in_is_made_again_if_it_changed(model: type[ContentType]) -> None:
    before = {each.natural_key() for each in model.objects.all()}
    model.objects.first().delete()
    TransactionTestCase()._fixture_teardown()
    assert before <= {each.natural_key() for each in model.objects.all()}
