"""Nothing of trackable needs the API, or the counting by browsers: their URLs bring them."""

from pathlib import Path

from trackable_tests.test_architecture import FILES, ROOT, is_within, wrong_imports

PACKAGES = ("api", "collect")
#: the tag of collecting, where Django wants it to be
TAG = ROOT / "templatetags" / "trackable_collect.py"


def test_nothing_imports_these_packages_but_themselves() -> None:
    def is_wrong(path: Path, name: str) -> bool:
        others = [each for each in PACKAGES if ROOT / each not in path.parents]
        return any(is_within(name, f"trackable.{each}") for each in others)

    assert wrong_imports([path for path in FILES if path != TAG], is_wrong) == {}
