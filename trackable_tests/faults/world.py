"""The world of a run: its servers, the proxies before them, its folders and settings."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from trackable_tests.faults.pairings import BROKER, DATABASE, SERVERS
from trackable_tests.faults.plan import Plan
from trackable_tests.faults.proxy import Proxy
from trackable_tests.faults.sabotage import APART
from trackable_tests.faults.servers import BROKERS, DATABASES

#: how long a folded segment is kept, at the least
RETENTION_SECONDS: Final = 1.5
#: where a database fails over to copies, which must be younger: for so many times what one takes
RETENTION_WITH_COPIES_SECONDS: Final = 6.0
COPIES_IN_RETENTION: Final = 6.0
#: the settings of every run, in seconds
INTERVALS: Final = {"BROKER_TIMEOUT": 1.0, "FLUSH_INTERVAL": 0.2, "RESEND_AFTER": 2.0}
SEGMENT_STATES: Final = (".open", ".sealed", ".shipped", ".folded")


class World:
    """Starts the servers; the stack ends them.

    Raises ``ProgramMissing`` for one that is not installed.
    """

    def __init__(
        self, plan: Plan, folder: Path, stack: ExitStack, settings: Mapping[str, Any]
    ) -> None:
        self.journal = folder / "journal"
        #: the records, events and logs of the processes
        self.processes = folder / "processes"
        self.processes.mkdir()
        self.database = DATABASES[plan.pairing.database](folder / "database")
        self.broker = BROKERS[plan.pairing.broker](folder / "broker")
        for server in (self.database, self.broker):
            stack.callback(server.stop)
            server.start()
        self.proxies: dict[str, Proxy] = {}
        for target, server in ((DATABASE, self.database), (BROKER, self.broker)):
            if server.name in SERVERS:
                self.proxies[target] = proxy = Proxy(server.address)
                proxy.start()
                stack.callback(proxy.stop)
        self.retention_seconds = self._retention_seconds(plan)
        self._settings = settings

    def _retention_seconds(self, plan: Plan) -> float:
        if not any(fault.kind == "fail-over" for fault in plan.faults):
            return RETENTION_SECONDS
        begun = time.monotonic()
        self.database.snapshot()
        copying_seconds = time.monotonic() - begun
        return max(RETENTION_WITH_COPIES_SECONDS, COPIES_IN_RETENTION * copying_seconds)

    def configuration(self, *, through_proxies: bool) -> str:
        """Return the settings of a process, for ``settings.py`` to read."""
        ports = {name: proxy.port for name, proxy in self.proxies.items() if through_proxies}
        entry = self.database.settings(ports.get(DATABASE))
        settings = {
            **INTERVALS,
            "BROKER_URL": self.broker.url(ports.get(BROKER)),
            "BROKER_TRANSPORT_OPTIONS": self.broker.transport_options,
            "QUEUE_ARGUMENTS": self.broker.queue_arguments,
            "JOURNAL_DIR": str(self.journal),
            "JOURNAL_RETENTION": self.retention_seconds,
            **self._settings,
        }
        return json.dumps({"databases": {"default": entry, APART: entry}, "settings": settings})

    def segments(self) -> list[str]:
        """Return the files of the journal that are not yet counted for good."""
        return sorted(n for n in os.listdir(self.journal) if n.endswith(SEGMENT_STATES))

    def cut(self) -> Counter[str]:
        """Return what the proxies have done, by kind."""
        return Counter(
            {
                f"{target} proxy: {kind}": number
                for target, proxy in self.proxies.items()
                for kind, number in proxy.fired.items()
            }
        )
