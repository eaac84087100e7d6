"""Processes whose memory is measured: ``python -m trackable_tests.bounds.folder <role>``."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import django

django.setup()

from trackable import batches, broker  # noqa: E402
from trackable.exceptions import BadMessage  # noqa: E402
from trackable.folding.collect import collect  # noqa: E402
from trackable.models import LedgerEntry  # noqa: E402


def peak_bytes() -> int:
    """Return the most memory that this process has had, which is not what its parent had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) << 10


def measured(action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    before, started = peak_bytes(), time.process_time()
    found = action()
    seconds = time.process_time() - started
    return {**found, "cpu_seconds": seconds, "before_bytes": before, "peak_bytes": peak_bytes()}


def fold() -> dict[str, Any]:
    LedgerEntry.objects.exists()  # connects
    with broker.Broker() as source:
        source.depth("testapp.PageHours")  # imports the transport
    return measured(lambda: asdict(collect(wait=False)))


def decode() -> dict[str, Any]:
    """Decode every odd message at the greatest length that is looked into."""
    from trackable_tests.bounds.test_messages import ODD

    def decode_all() -> dict[str, Any]:
        read = []
        for kind, make in ODD.items():
            try:
                batches.decode(make(batches.MAX_MESSAGE_BYTES - 1000))
            except BadMessage:
                continue
            read.append(kind)
        return {"read": read}

    return measured(decode_all)


if __name__ == "__main__":
    print(json.dumps({"fold": fold, "decode": decode}[sys.argv[1]]()))
