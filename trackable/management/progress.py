"""Progress bars: on a terminal only, and never where what is printed may be read by a program."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def bar(*, total: int | None, unit: str, scale: bool = False) -> Any:
    """Return a tqdm bar on standard error; it does nothing if that is no terminal."""
    disable = not sys.stderr.isatty()
    return tqdm(total=total, unit=unit, unit_scale=scale, disable=disable, leave=False)
