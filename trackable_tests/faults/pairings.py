"""The pairings of a database and a broker: which faults and fault points each of them has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PRODUCER, FOLDER, BROKER, DATABASE = "producer", "folder", "broker", "database"
NO_BROKER: Final = "none"
TARGETS: Final = (PRODUCER, FOLDER, BROKER, DATABASE)
DATABASES: Final = ("sqlite", "postgresql", "mariadb")
BROKERS: Final = (NO_BROKER, "redis", "rabbitmq", "rabbitmq-quorum", "filesystem")
#: those that are processes of their own behind a proxy; the others are files
SERVERS: Final = {"postgresql", "mariadb", "redis", "rabbitmq", "rabbitmq-quorum"}

#: longer than the time-out that the children give the broker
FREEZE_SECONDS: Final = (1.2, 2.2)
STOP_SECONDS: Final = (0.2, 2.5)
STALL_SECONDS: Final = (0.2, 1.5)
#: what a replica lags behind, less than folded segments are kept for
LAG_SECONDS: Final = (0.5, 2.5)
DOWN_SECONDS: Final = (0.1, 1.0)

AT_ONCE: Final = (0.0, 0.0)

#: kind -> the bounds of its seconds
PROCESS_KINDS: Final = {"kill": AT_ONCE, "stop": STOP_SECONDS}
PROXY_KINDS: Final = {"cut": AT_ONCE, "cut-after-bytes": AT_ONCE, "stall": STALL_SECONDS}
LOSSES: Final = {"flush": AT_ONCE, "restart-empty": DOWN_SECONDS}
FAIL_OVER: Final = {"fail-over": LAG_SECONDS}
SERVER_KINDS: Final = {"kill": DOWN_SECONDS, "freeze": FREEZE_SECONDS}
COMMIT_KINDS: Final = {"cut-before-commit": AT_ONCE, "cut-after-commit": AT_ONCE}

#: what a server is given to answer again and do some work, in seconds
RECOVERY_SECONDS: Final = {
    "mariadb": 4.0,
    "postgresql": 3.0,
    "rabbitmq": 9.0,
    "rabbitmq-quorum": 11.0,
}
RESTARTING: Final = {"kill", "restart-empty", "fail-over"}
#: between two faults of a server
PAUSE_SECONDS: Final = (0.3, 2.0)
#: the kinds that each server is to have, and not just some server
OF_EACH: Final = {(DATABASE, "kill"), (BROKER, "restart-empty")}

#: point -> the highest number of passes after which it strikes
EMITTING_POINTS: Final = {
    "before-append": 100,
    "after-append": 100,
    "before-sealing": 3,
    "after-sealing": 3,
}
SHIPPING_POINTS: Final = {
    "before-publish": 8,
    "after-confirmation": 8,
    "before-shipped": 3,
    "after-shipped": 3,
}
QUEUE_POINTS: Final = {"before-queue-claim": 8, "after-queue-claim": 8}
FOLDING_POINTS: Final = {
    "after-flush": 2,
    "before-ledger": 4,
    "between-ledger-and-upsert": 4,
    "before-upsert": 4,
    "between-upserts": 20,
    "after-upsert": 4,
    "before-commit": 4,
    "after-commit": 4,
    "before-acks": 4,
    "before-ack": 6,
    "after-ack": 6,
    "before-settle": 1,
    "after-settle": 1,
    "before-pruning": 1,
    "after-pruning": 1,
}
SETTLING_POINTS: Final = {
    "before-folded": 2,
    "after-folded": 2,
    "before-removal": 2,
    "after-removal": 2,
}
#: those that take a loss first: processes are armed with them beside another
RARE_POINTS: Final = {"before-resending": 2, "after-resending": 2}


@dataclass(frozen=True, slots=True)
class Pairing:
    database: str = "sqlite"
    broker: str = NO_BROKER

    def __str__(self) -> str:
        return f"{self.database} x {self.broker}"

    @property
    def has_broker(self) -> bool:
        return self.broker != NO_BROKER

    def points_of(self, role: str) -> dict[str, int]:
        """Return the fault points that a process of this role passes."""
        shipping = SHIPPING_POINTS if self.has_broker else {}
        settling = SETTLING_POINTS | RARE_POINTS
        if role == PRODUCER:
            return EMITTING_POINTS | shipping | (settling if self.has_broker else {})
        queues = QUEUE_POINTS if self.has_broker else {}
        return shipping | queues | FOLDING_POINTS | settling

    def points(self) -> list[str]:
        """Return the fault points that any of its processes passes."""
        return sorted({*self.points_of(PRODUCER), *self.points_of(FOLDER)})

    def names(self) -> list[str]:
        """Return the names of all that a process or server of it can meet."""
        kinds = [self.name_of(target, kind) for target in TARGETS for kind in self.kinds_of(target)]
        return [*self.points(), *kinds]

    def kinds_of(self, target: str) -> dict[str, tuple[float, float]]:
        """Return the kinds of fault that a target can have from outside."""
        if target in (PRODUCER, FOLDER):
            return PROCESS_KINDS
        losing = LOSSES if target == BROKER else FAIL_OVER
        if target == BROKER and not self.has_broker:
            return {}
        if not self.is_server(target):
            return losing
        commits = COMMIT_KINDS if target == DATABASE else {}
        return losing | SERVER_KINDS | PROXY_KINDS | commits

    def name_of(self, target: str, kind: str) -> str:
        """Return the name of a kind of fault: of this server if each is to have it, else of any."""
        return f"{self._server(target) if (target, kind) in OF_EACH else target} {kind}"

    def seconds_of_kinds(self, target: str) -> dict[str, float]:
        """Return the names of a server's kinds of fault, each with the seconds that it takes."""
        return {
            self.name_of(target, kind): (sum(bounds) + sum(PAUSE_SECONDS)) / 2
            + self.recovery_seconds(target, kind)
            for kind, bounds in self.kinds_of(target).items()
        }

    def is_server(self, target: str) -> bool:
        return self._server(target) in SERVERS

    def recovery_seconds(self, target: str, kind: str) -> float:
        return RECOVERY_SECONDS.get(self._server(target), 0.5) if kind in RESTARTING else 0.5

    def _server(self, target: str) -> str:
        return self.broker if target == BROKER else self.database
