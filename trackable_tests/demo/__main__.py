"""The demo: ``python -m trackable_tests.demo``, or ``make demo``.

Starts a small site, sends it real visitors, and shows what was counted beside what was sent.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trackable_tests.demo.runner import directory, ending
from trackable_tests.demo.runner.processes import CommandFailed
from trackable_tests.demo.runner.server import ServerFailed
from trackable_tests.demo.runner.traffic import ClientFailed

ROOT: Final = Path(__file__).resolve().parent.parent.parent
REQUESTS: Final = 3000
WORKERS: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status: 0 if every count was right."""
    options = parse(arguments)
    ending.on_signals()
    try:
        with directory.fresh(options.directory) as path:
            set_up_django(path, filtering=options.log is None)
            from trackable_tests.demo.runner import stages

            return 0 if stages.run(options, path) else 1
    except (ServerFailed, ClientFailed, CommandFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except ending.Ended as ended:
        return ended.status


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trackable_tests.demo", description=__doc__)
    add = parser.add_argument
    add("--exit", action="store_true", help="end after the table, with status 1 if it is wrong")
    add("--log", type=Path, metavar="PATH", help="take an access log, plain or gzip, for visitors")
    add("--requests", type=positive, default=REQUESTS, help="how many to send (%(default)s)")
    add("--workers", type=positive, default=WORKERS, help="web processes (%(default)s)")
    add("--kill", action="store_true", help="kill -9 a web process amid the requests")
    add("--directory", type=Path, default=ROOT / ".demo", help="where to work (%(default)s)")
    options = parser.parse_args(arguments)
    if options.log and not options.log.is_file():
        parser.error(f"there is no file {options.log}")
    return options


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def set_up_django(path: Path, *, filtering: bool) -> None:
    """Make this process and those that it starts use the demo's settings in that directory."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "trackable_tests.demo.settings",
        "TRACKABLE_DEMO_DIR": str(path.resolve()),
        "TRACKABLE_DEMO_FILTERING": str(int(filtering)),
        "TRACKABLE_DEMO_SECRET_KEY": secrets.token_urlsafe(50),
    }
    import django

    django.setup()


if __name__ == "__main__":
    sys.exit(main())
