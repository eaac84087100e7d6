"""What every server of the harness can do, and those two kinds that it needs."""

from __future__ import annotations

import random
import shutil
import socket
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

LOWEST_PORT = 15_000
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
DATABASE = "faults"


class ProgramMissing(RuntimeError):
    """A program that a server is made of is not installed: install it, or leave the server out."""


def program(*names: str, folders: str = "/usr/sbin:/usr/local/sbin") -> str:
    """Return the path of the first program that is found; raise ``ProgramMissing`` for none."""
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=folders)
        if found:
            return found
    raise ProgramMissing(f"{' or '.join(names)} is not installed")


def free_port() -> int:
    """Return a port of this machine that no server has and no client is given.

    From the range of the clients' ports, somebody's connection could take it while its server is
    dead, and a client that tries again and again could end up connected to itself.
    """
    end = int(PORT_RANGE.read_text().split()[0]) if PORT_RANGE.exists() else 32_768
    for port in _dice.sample(range(LOWEST_PORT, end), 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"found no free port from {LOWEST_PORT} to {end}")


# Test runners seed the other one alike in all their processes.
_dice = random.SystemRandom()


class Server:
    """A server that writes nothing outside its folder, and keeps its address over restarts.

    One thread at a time calls it. This base is of those that are no process: files have nothing
    that could be killed.
    """

    name: str
    can_be_killed = False

    def __init__(self, folder: Path) -> None:
        """Raise ``ProgramMissing`` if it cannot be started here."""
        self.folder = folder
        self.address = ("127.0.0.1", 0)
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Return once it answers; raise ``RuntimeError`` with its log's end if it does not."""

    def kill(self) -> None:
        """Send SIGKILL to all its processes, and return when they are gone."""
        raise NotImplementedError(f"{self.name} is no process")

    def freeze(self) -> None:
        """Send SIGSTOP to all its processes."""
        raise NotImplementedError(f"{self.name} is no process")

    def thaw(self) -> None:
        """Send SIGCONT to all its processes."""

    def stop(self) -> None:
        """End it for good, whatever state it is in, and leave no process and no shared memory."""


class Database(Server, ABC):
    """A database of its own, empty once the server has started, and a copy of it that lags."""

    @abstractmethod
    def settings(self, port: int | None = None) -> dict[str, Any]:
        """Return its entry of ``DATABASES``; through another port of this machine if given."""

    @abstractmethod
    def connect(self, port: int | None = None) -> Any:
        """Return a connection of its driver's (PEP 249)."""

    @abstractmethod
    def snapshot(self) -> None:
        """Keep a consistent copy of the state of now, in place of an older one.

        Raises ``RuntimeError`` if there is none to be had; the older copy stays then.
        """

    @abstractmethod
    def fail_over(self) -> float:
        """Put the copy in the database's place, at the same address, as if it had died.

        Returns how old the copy is, in seconds: no commit that is older is lost. Raises
        ``RuntimeError`` without a snapshot.
        """


class Broker(Server, ABC):
    """A broker, and the settings of trackable that make use of it."""

    @property
    def transport_options(self) -> dict[str, Any]:
        return {}

    @property
    def queue_arguments(self) -> dict[str, Any]:
        return {}

    @abstractmethod
    def url(self, port: int | None = None) -> str | None:
        """Return its URL; through another port of this machine if given."""

    @abstractmethod
    def flush(self) -> None:
        """Remove everything in it while it runs."""

    @abstractmethod
    def restart_empty(self) -> None:
        """Kill it, remove its data and start it again."""


class NoBroker(Broker):
    """No broker: batches are folded from the journal."""

    name = "none"

    def url(self, port: int | None = None) -> None:
        return None

    def flush(self) -> None:
        """Do nothing: there is nothing in it."""

    def restart_empty(self) -> None:
        """Do nothing: there is nothing in it."""
