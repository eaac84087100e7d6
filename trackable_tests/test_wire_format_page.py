"""The page on what travels: its examples are what the code reads and writes, and so its limits."""

from __future__ import annotations

import json
import re

import pytest
from django.conf import settings

from trackable import batches, counting, records
from trackable.batches import Batch, Malformed
from trackable.exceptions import BadMessage
from trackable.folding import quarantine
from trackable.journal import lines, segments
from trackable.models import QuarantinedMessage

PAGE = (settings.BASE_DIR / "docs" / "reference" / "wire-format.md").read_text()
(LINES,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(BATCH,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SEGMENT = LINES.encode("ascii")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def found() -> dict[str, Batch]:
    """Return the batches of the page's segment."""
    (segment_id,) = re.findall(r"`([0-9a-f]{32})\.sealed`", PAGE)
    return {each.data_class: each for each in counting.of_part(segment_id, SEGMENT)}


def test_lines_are_read_and_written_as_they_are_shown() -> None:
    for line in SEGMENT.splitlines(keepends=True):
        cells = lines.decode(line[:-1])
        assert cells is not None
        assert lines.encode(*cells) == line
    assert all(batch.damaged == 0 for batch in found().values())


def test_the_batch_is_that_of_the_lines() -> None:
    example = json.loads(BATCH)
    body = batches.encode(found()["shop.ProductData"])
    assert json.loads(body) == example
    assert json.dumps(example, separators=(",", ":")).encode() == body
    assert batches.decode(BATCH.encode()) == found()["shop.ProductData"]
    keys = re.findall(r"^\| (`.*?`) \|", section("A batch"), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", "".join(keys))) == example.keys()


def test_a_record_is_read_as_it_is_shown() -> None:
    (counter,) = found()["search.FailedSearch"].counts
    assert records.values_of(counter) == {"text": "café"}


def test_states_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\.\w+)` \|", section("A segment of the journal"), re.MULTILINE)
    assert rows == list(segments.STATES)


def test_limits_are_those_of_the_code() -> None:
    batch = section("A batch")
    assert f"{batches.MAX_MESSAGE_BYTES:,} bytes" in batch
    assert f"{batches.MAX_MARKS:,}: some" in batch
    assert f"0 to {batches.MAX_HITS:,}." in batch
    assert f"| {len(str(batches.INTEGER_BOUND)) - 1} digits. |" in batch
    assert f"An integer may have {len(str(counting.ADDEND_BOUND)) - 1} digits" in PAGE
    assert f"of {records.MAX_LENGTH:,} characters together" in PAGE
    assert f"`{batches.DAMAGED}`" in batch
    assert quarantine.MAX_BODY_BYTES == quarantine.MAX_PAYLOAD_LENGTH == 1 << 20
    assert f"At most {quarantine.MAX_LABEL_LENGTH} characters." in PAGE
    assert f"At most {quarantine.MAX_REASON_LENGTH} characters." in PAGE


def test_another_version_is_refused() -> None:
    assert batches.VERSION == json.loads(BATCH)["v"] == 1
    with pytest.raises(BadMessage, match="version 2 is not known here"):
        batches.decode(BATCH.replace('"v": 1', '"v": 2').encode())


def test_ids_of_what_is_no_batch_begin_with_zeros() -> None:
    assert re.fullmatch(r"0{12}[0-9a-f]{20}", Malformed.of("x", b"garbage", "").id)


def test_every_column_of_the_quarantine_has_its_row() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", section("In the quarantine"), re.MULTILINE)
    columns = {field.name for field in QuarantinedMessage._meta.fields} - {"id"}
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == columns
