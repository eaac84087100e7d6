"""The reference of signals: its arguments are those that are sent, and its code works."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache

from trackable import signals
from trackable.batches import Entry
from trackable.folding.engine import fold
from trackable_tests.counting import a_page, batch, entry
from trackable_tests.testapp.models import PageTotals

PAGE = (settings.BASE_DIR / "docs" / "reference" / "signals.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = ["increments_folded", "increment_quarantined"]

pytestmark = pytest.mark.django_db


def arguments_of(name: str) -> set[str]:
    section = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_every_signal_has_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.findall(r"^## (\w+_\w+)$", PAGE, re.MULTILINE) == NAMES
    for name in NAMES:
        sent: list[dict[str, Any]] = []

        def hear(sent: list[dict[str, Any]] = sent, **named: Any) -> None:
            sent.append(named)

        signal = getattr(signals, name)
        signal.connect(hear)
        page = a_page(name)
        fold("testapp.PageTotals", [batch(PageTotals, entry(page), entry(page, "likes"))])
        signal.disconnect(hear)
        assert arguments_of(name) == sent[0].keys() - {"signal", "sender"}
    assert all(f"`{field}`" in PAGE for field in Entry._fields)


def test_receiver_of_the_page_clears_what_changed() -> None:
    receivers: dict[str, Any] = {}
    (code,) = [each for each in CODE if "def clear_pages" in each]
    exec(code, receivers)
    page = a_page()
    cache.set_many({f"product-{page.pk}": 1, "product-0": 1})
    signals.increments_folded.connect(receivers["clear_pages"], sender=PageTotals)
    fold("testapp.PageTotals", [batch(PageTotals, entry(page))])
    signals.increments_folded.disconnect(receivers["clear_pages"], sender=PageTotals)
    assert (cache.get(f"product-{page.pk}"), cache.get("product-0")) == (None, 1)
    assert all(ast.parse(each).body for each in CODE)
