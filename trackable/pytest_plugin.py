"""The pytest fixture: put ``pytest_plugins = ["trackable.pytest_plugin"]`` into ``conftest.py``.

pytest imports this before Django is set up, so it imports nothing of trackable's until used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from trackable.testing import Outbox


@pytest.fixture
def trackable_outbox() -> Iterator[Outbox]:
    """A list of what the test emits; nothing is written to disk and nothing is shipped."""
    from trackable.testing import capture

    with capture() as outbox:
        yield outbox
