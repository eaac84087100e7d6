"""Keys: what an object's id becomes, and which ids no column can hold."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.test.utils import isolate_apps

from trackable.folding.keys import object_key, parent_key
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page

pytestmark = pytest.mark.django_db


@isolate_apps("trackable_tests.testapp")
def test_the_key_of_a_parent_is_not_validated_as_in_a_form(django_assert_num_queries: Any) -> None:
    class Profile(models.Model):
        page = models.OneToOneField(Page, models.CASCADE, primary_key=True)

        class Meta:
            app_label = "testapp"

    with django_assert_num_queries(0):
        assert parent_key(models.SlugField(), "default")("aé-b") == "aé-b"
        assert parent_key(Profile._meta.pk, "default")("7") == 7
    with pytest.raises(ValueError, match="must be an integer"):
        parent_key(Profile._meta.pk, "default")("x")


@for_each("text", ["NaN", "Infinity", "1e999999", "0.001"])
def test_a_decimal_that_the_column_cannot_hold_has_no_parent(text: str) -> None:
    with pytest.raises((ValueError, ValidationError)):
        parent_key(models.DecimalField(max_digits=5, decimal_places=2), "default")(text)


def test_an_object_id_is_held_to_its_length_and_range_alone() -> None:
    assert object_key(models.SlugField())("aé-b") == "aé-b"
    assert object_key(models.URLField())("no url") == "no url"
    with pytest.raises(ValidationError, match="at most 3 characters"):
        object_key(models.SlugField(max_length=3))("aé-b")
    with pytest.raises(ValueError, match="blank"):
        object_key(models.CharField())("")


def test_a_field_may_raise_anything() -> None:
    class Odd(models.CharField):
        def to_python(self, value: Any) -> Any:
            raise AttributeError("odd")

    with pytest.raises(ValueError, match="odd"):
        object_key(Odd())("x")


@for_each("text", ["0", "7", " 7", "2147483647"])
def test_an_integer_in_the_range_of_its_field_is_a_key(text: str) -> None:
    assert object_key(models.PositiveIntegerField())(text) == int(text)


@for_each("text", ["-1", "5", str(1 << 63), "9" * 30])
def test_an_integer_out_of_the_range_of_its_field_is_none(text: str) -> None:
    positive = models.PositiveIntegerField(validators=[MinValueValidator(6)])
    with pytest.raises(ValidationError):
        object_key(positive)(text)
