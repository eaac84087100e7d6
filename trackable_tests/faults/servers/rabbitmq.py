"""RabbitMQ, with the name server that Erlang starts beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from trackable_tests.faults.servers.base import Broker, free_port, program
from trackable_tests.faults.servers.process import PROBE_SECONDS, ProcessServer

#: Packages put a script on the path that changes the user; this is what it runs.
PACKAGED = "/usr/lib/rabbitmq/bin:/usr/lib/rabbitmq/sbin"
COOKIE = "faults"
ERLANG_OPTIONS = "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}"
DELETE = """
fun(Queue) -> {ok, _} = rabbit_amqqueue:delete(Queue, false, false, <<"faults">>) end
"""
# A quorum queue is written down up to three seconds after it was declared. Killed before that, it
# comes back empty and without a leader, and refuses everything until somebody steps in. Here that
# is us, and what it held is sent again.
ELECT = """
fun(Queue) ->
    Server = amqqueue:get_pid(Queue),
    ra:trigger_election(Server),
    {ok, _, _} = ra:members(Server, 30000)
end
"""
FOR_EACH_QUEUE = """
Queues = rpc:call('{node}', rabbit_amqqueue, list, []),
ok = rpc:call('{node}', lists, foreach, [{action}, Queues]),
halt().
"""

CONFIGURATION = """\
listeners.tcp.default = {host}:{port}
log.file = false
log.console = true
log.console.level = warning
disk_free_limit.absolute = 1MB
raft.wal_max_size_bytes = 4000000
"""


class RabbitMQ(ProcessServer, Broker):
    """Keeps what it has confirmed; with quorum queues by a log of their own."""

    def __init__(self, folder: Path, *, quorum: bool = False) -> None:
        self._server = shutil.which("rabbitmq-server", path=PACKAGED) or program("rabbitmq-server")
        self._erlang = program("erl")
        super().__init__(folder)
        self.name = "rabbitmq-quorum" if quorum else "rabbitmq"
        self._quorum = quorum
        self._node = f"faults-{self.address[1]}@localhost"
        self._names_port, self._node_port = free_port(), free_port()
        self._data = folder / "data"

    @property
    def queue_arguments(self) -> dict[str, Any]:
        return {"x-queue-type": "quorum"} if self._quorum else {}

    def command(self) -> list[str]:
        return [self._server]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_MNESIA_BASE": str(self._data),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_OPTIONS,
        }

    def prepare(self) -> None:
        host, port = self.address
        (self.folder / "rabbitmq.conf").write_text(CONFIGURATION.format(host=host, port=port))
        (self.folder / "plugins").write_text("[].\n")
        cookie = self.folder / ".erlang.cookie"
        cookie.unlink(missing_ok=True)
        cookie.write_text(COOKIE)
        cookie.chmod(0o400)

    def probe(self) -> None:
        import amqp  # kombu's own connections sleep before they try again

        host, port = self.address
        with amqp.Connection(f"{host}:{port}", connect_timeout=PROBE_SECONDS) as connection:
            connection.channel()

    def url(self, port: int | None = None) -> str:
        host, own = self.address
        return f"amqp://guest:guest@{host}:{port or own}//"

    def start(self) -> None:
        super().start()
        if self._quorum:
            self._for_each_queue(ELECT)

    def flush(self) -> None:
        """Delete its queues with what is in them, claimed or not."""
        self._for_each_queue(DELETE)

    def _for_each_queue(self, action: str) -> None:
        script = FOR_EACH_QUEUE.format(node=self._node, action=action)
        name = f"harness-{self._node}"
        self.run(self._erlang, "-noinput", "-hidden", "-sname", name, "-eval", script)

    def restart_empty(self) -> None:
        self.kill()
        shutil.rmtree(self._data)
        self.start()
