"""Durations, sizes and numbers in words."""

from trackable.status.words import counted, duration, size
from trackable_tests.tables import for_each


@for_each(
    "seconds, shown",
    [
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (86400 * 2, "48 h"),
        (86400 * 3, "3 days"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@for_each(
    "number, shown",
    [(0, "0 bytes"), (1023, "1,023 bytes"), (1024, "1.0 KiB"), (1 << 40, "1.0 TiB")],
)
def test_size(number: int, shown: str) -> None:
    assert size(number) == shown


@for_each(
    "number, noun, shown",
    [(1, "fold", "1 fold"), (0, "fold", "0 folds"), (1200, "batch", "1,200 batches")],
)
def test_counted(number: int, noun: str, shown: str) -> None:
    assert counted(number, noun) == shown
