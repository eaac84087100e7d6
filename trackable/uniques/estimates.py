"""Estimates: what a row has in a distinct count, a number that can be united with others."""

from __future__ import annotations

from trackable.uniques import sketches


class Estimate(int):
    """How many different visitors: an integer, with the sketch that it was estimated from.

    ``one | other`` are those of both, each visitor once; ``+`` counts whom both have seen twice.
    """

    sketch: bytes

    def __new__(cls, sketch: bytes | memoryview = b"") -> Estimate:
        """Raises ``BadSketch`` for what is no sketch, and ``MissingLibrary``."""
        kept = bytes(sketch)
        self = super().__new__(cls, sketches.estimate(kept))
        self.sketch = kept
        return self

    def __getnewargs__(self) -> tuple[bytes]:  # type: ignore[override]  # of what is pickled
        return (self.sketch,)

    def __or__(self, other: int) -> Estimate:
        if not isinstance(other, Estimate):
            raise TypeError(f"An Estimate is united with another one, not with {other!r}.")
        return Estimate(sketches.merge([self.sketch, other.sketch]))

    __ror__ = __or__
