"""A label finds its data class, and nothing else."""

from trackable.labels import folded_class_of, folded_classes
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import PageData


@for_each("label", ["testapp.Nowhere", "testapp.Page", "nonsense", "a.b.c", "", ".", "a\0.b"])
def test_what_names_no_data_class_finds_none(label: str) -> None:
    assert folded_class_of(label) is None


def test_a_label_finds_its_class() -> None:
    assert folded_class_of("testapp.PageData") is PageData
    assert PageData in folded_classes()
