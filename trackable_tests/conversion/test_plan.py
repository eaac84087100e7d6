"""Plans are checked before anything is read, and follow chains of attributes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from trackable.conversion.plan import BadConversion, relations_in, value_of
from trackable.exceptions import UnknownField
from trackable_tests.conversion.old import a_plan
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import OldHits, Page, PageHours, PageParentData, PageTotals


@for_each(
    "changed, cure",
    [
        ({"updates": ()}, "--update-fields"),
        ({"updates": (("hits", "views"),) * 2}, "same pair twice"),
        ({"updates": (("htis", "views"),)}, "has no 'htis', but .*hits"),
        ({"link": "parent"}, "has no 'parent'"),
        ({"period": None}, "by the day: say when with --key-fields"),
        ({"data_cls": PageTotals}, "leave --key-fields out"),
        ({"period": "dya"}, "has no 'dya'"),
    ],
)
def test_plan_that_cannot_work_is_refused(changed: dict[str, Any], cure: str) -> None:
    with pytest.raises(BadConversion, match=cure):
        a_plan(**changed).check()


def test_unknown_counter_is_refused() -> None:
    with pytest.raises(UnknownField, match="veiws"):
        a_plan(updates=(("hits", "veiws"),)).check()


def test_data_class_is_not_added_to_itself() -> None:
    plan = a_plan(updates=(("views", "views"),), data_cls=PageParentData)
    with pytest.raises(BadConversion, match="themselves"):
        type(plan)(PageParentData, PageParentData, plan.updates).check()


def test_chains_end_where_something_is_missing() -> None:
    record = OldHits(page=Page(slug="a"))
    assert value_of(record, "page.slug") == "a"
    assert value_of(OldHits(), "page.slug") is None
    assert value_of(OldHits(page_id=1 << 30), "slug") == ""
    with pytest.raises(BadConversion, match=r"Page has no 'sulg': correct 'page.sulg'"):
        value_of(record, "page.sulg")


def test_day_tells_no_hour() -> None:
    plan = a_plan(data_cls=PageHours)
    with pytest.raises(BadConversion, match="tells no hour"):
        plan.start(OldHits(day=date(2020, 1, 1)))


@for_each(
    "path, relations",
    [
        ("page.slug", ["page"]),
        ("page_id", []),
        ("thing.page", ["thing"]),
        ("content_type.app_label", ["content_type"]),
        ("hits", []),
        ("get_next_by_day", []),
    ],
)
def test_relations_are_told_from_other_attributes(path: str, relations: list[str]) -> None:
    assert relations_in(OldHits, path.split(".")) == relations
