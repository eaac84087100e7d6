"""gunicorn for the demo site: threads in several processes, on a socket that is bound already."""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1

wsgi_app = "trackable_tests.demo.wsgi:application"
bind = f"fd://{os.environ['TRACKABLE_DEMO_FD']}"
workers = int(os.environ["TRACKABLE_DEMO_WORKERS"])
worker_class = "gthread"
threads = 4
# Longer than any visit: no client meets a connection that was closed for its idleness.
keepalive = 75
graceful_timeout = 5
control_socket_disable = True
proc_name = "trackable-demo"

_directory = Path(os.environ["TRACKABLE_DEMO_DIR"])


def on_starting(_server: Any) -> None:
    """End with the program that started us, even if that is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(os.environ["TRACKABLE_DEMO_PARENT"]):
            sys.exit("The program that started this site has gone.")


def post_fork(_server: Any, worker: Any) -> None:
    (_directory / f"{worker.pid}.worker").touch()


def child_exit(_server: Any, worker: Any) -> None:
    (_directory / f"{worker.pid}.worker").unlink(missing_ok=True)
