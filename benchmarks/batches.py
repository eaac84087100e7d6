"""Batches that no fold has seen: what is measured from the broker on."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.site.models import Page, PageData
from trackable.batches import Batch, Entry, batch_id
from trackable.journal import segments
from trackable.periods import encode_start


def batch(object_ids: Iterable[int], hits: int = 1) -> Batch:
    """Return a new batch of so many hits on each page."""
    day = encode_start("day", None)
    entries = [Entry(Page._meta.label, str(pk), day, "views", hits, hits) for pk in object_ids]
    label = PageData._meta.label
    return Batch.of(batch_id(segments.new_id(), label), label, entries)
