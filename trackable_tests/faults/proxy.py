"""A proxy in front of a server, which cuts connections where it hurts most.

The client's end is always reset. What has been passed on to the server arrives there in full.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from trackable_tests.faults import commits
from trackable_tests.faults.servers.base import free_port

CHUNK_BYTES = 1 << 16
CALL_SECONDS = 10
DRAIN_SECONDS = 5

Result = TypeVar("Result")


class Link:
    """A client's connection and ours to the server."""

    def __init__(self, near: StreamWriter, far: StreamWriter) -> None:
        self.near = near
        self.far = far
        self.sent_bytes = 0
        self.limit_bytes: int | None = None
        self.tail = b""
        self.commit: commits.Commit | None = None
        self.withheld = b""
        self.is_cut = False

    def cut(self) -> None:
        """Drop the client, and let the server read what it was sent."""
        self.is_cut = True
        _reset(self.near)
        self.far.close()


class Proxy:
    """Passes on, in a thread of its own, until it is told to cut; ``fired`` counts what it did."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.port = free_port()
        self.fired: Counter[str] = Counter()
        self._target = target
        self._links: set[Link] = set()
        self._at_commit: deque[bool] = deque()
        self._after_bytes: int | None = None
        self._stalled_until = 0.0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # from any thread

    def start(self) -> None:
        """Listen from now on; the port stays the same when it is stopped and started again."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        running: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(listener, running)), name="proxy", daemon=True
        )
        self._thread.start()
        running.result(CALL_SECONDS)

    def stop(self) -> None:
        """Reset every connection and listen no more."""
        if self._thread is not None:
            self._call(self._stopped.set)
            self._thread.join(CALL_SECONDS)
            self._thread = None

    def cut(self) -> int:
        """Reset every connection now; return how many there were."""
        return self._call(self._cut)

    def cut_at_commit(self, *, arrived: bool) -> None:
        """Cut the next COMMIT before it reaches the server, or keep back the server's answer.

        Called twice, it cuts the next two.
        """
        self._call(lambda: self._at_commit.append(arrived))

    def cut_after_bytes(self, number: int) -> None:
        """Cut the first connection that has sent so many bytes more, wherever that is."""
        self._call(lambda: self._limit(number))

    def stall(self, seconds: float) -> None:
        """Pass nothing on for so long."""
        self._call(lambda: self._stall(seconds))

    def _call(self, action: Callable[[], Result]) -> Result:
        """Do something in the proxy's thread, and return its result."""
        result: Future[Result] = Future()

        def act() -> None:
            try:
                result.set_result(action())
            except BaseException as error:
                result.set_exception(error)

        assert self._loop is not None, "the proxy is not started"
        self._loop.call_soon_threadsafe(act)
        return result.result(CALL_SECONDS)

    # in the proxy's thread

    async def _run(self, listener: socket.socket, running: Future[None]) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, sock=listener)
        running.set_result(None)
        await self._stopped.wait()
        server.close()
        for link in self._links:
            link.cut()
        self._loop = None

    async def _serve(self, source: StreamReader, near: StreamWriter) -> None:
        try:
            answers, far = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(near)
            return
        link = Link(near, far)
        link.limit_bytes = self._after_bytes
        self._links.add(link)
        ways = [
            asyncio.ensure_future(self._pass_on(source, link, self._to_server)),
            asyncio.ensure_future(self._pass_on(answers, link, self._to_client)),
        ]
        try:
            # Cancelled when the proxy stops, which streams would tell as an error.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            for way in ways:
                way.cancel()
            near.close()
            with contextlib.suppress(asyncio.CancelledError):
                await _close(far)

    async def _pass_on(
        self, source: StreamReader, link: Link, act: Callable[[Link, bytes], None]
    ) -> None:
        with contextlib.suppress(OSError):
            while content := await source.read(CHUNK_BYTES):
                await self._stalled()
                if link.is_cut:
                    return
                act(link, content)
                await link.near.drain()
                await link.far.drain()

    def _to_server(self, link: Link, content: bytes) -> None:
        cause = self._cause_to_cut(link, content)
        if cause is None:
            link.far.write(content)
        else:
            name, passed_bytes = cause
            link.far.write(content[:passed_bytes])
            self._end(link, name)

    def _cause_to_cut(self, link: Link, content: bytes) -> tuple[str, int] | None:
        """Return what happens to a connection that sends this, and how much of it still passes."""
        return self._over_limit(link, content) or self._before_commit(link, content)

    def _over_limit(self, link: Link, content: bytes) -> tuple[str, int] | None:
        link.sent_bytes += len(content)
        if link.limit_bytes is None or link.sent_bytes < link.limit_bytes:
            return None
        passed = len(content) - (link.sent_bytes - link.limit_bytes)
        self._after_bytes = None
        for other in self._links:
            other.limit_bytes = None
        return "cut after bytes", passed

    def _before_commit(self, link: Link, content: bytes) -> tuple[str, int] | None:
        """See whether a COMMIT ends in what is sent now; parts that came before have passed on."""
        before = len(link.tail)
        content = link.tail + content
        commit = commits.find(content)
        link.tail = content[commit.end if commit else 0 :][-commits.MESSAGE_BYTES :]
        if commit is None or not self._at_commit:
            return None
        if self._at_commit.popleft():
            link.commit = commit
            return None
        return "commit lost", max(0, commit.start - before)

    def _to_client(self, link: Link, content: bytes) -> None:
        if link.commit is None:
            link.near.write(content)
            return
        link.withheld += content
        if link.commit.answer.search(link.withheld):
            self._end(link, "commit answer lost")

    def _end(self, link: Link, name: str) -> None:
        self.fired[name] += 1
        link.cut()

    def _cut(self) -> int:
        number = len(self._links)
        for link in self._links:
            self._end(link, "cut")
        self._links.clear()
        return number

    def _limit(self, number: int) -> None:
        self._after_bytes = number
        for link in self._links:
            link.limit_bytes = link.sent_bytes + number

    def _stall(self, seconds: float) -> None:
        self.fired["stall"] += 1
        self._stalled_until = asyncio.get_running_loop().time() + seconds

    async def _stalled(self) -> None:
        while (rest := self._stalled_until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(rest)


def _reset(writer: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def _close(writer: StreamWriter) -> None:
    """Close a connection once its end has read everything, or after a while in which it has not."""
    writer.close()
    try:
        with contextlib.suppress(OSError):
            await asyncio.wait_for(writer.wait_closed(), DRAIN_SECONDS)
    finally:
        writer.transport.abort()
