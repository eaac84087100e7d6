"""The tutorial, followed to the letter: its files, its commands, and what it says they print."""

from __future__ import annotations

import http.cookiejar
import os
import re
import shlex
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

PAGE = settings.BASE_DIR / "docs" / "tutorial" / "index.md"
#: what makes the environment that the tests run in already
PASSED_OVER = ("python3 -m venv", ". venv/", "python -m pip")
STEP = re.compile(
    r"^```\{code-block\} [\w+]+\n:caption: (?P<path>[^\s,]+)(?P<at_end>, at the end)?\n\n"
    r"(?P<code>.*?)^```$"
    r"|^```console\n(?P<console>.*?)^```$"
    r"|<(?P<url>http://127\.0\.0\.1:8000/[^>\s]*)>",
    re.MULTILINE | re.DOTALL,
)
STATISTICS = "/admin/pages/pagedata/statistics/pages.page/1/"
LIMIT_SECONDS = 60

pytestmark = pytest.mark.slow


def commands(console: str) -> Iterator[tuple[str, str]]:
    """Yield each command, which goes on while a quote is open, with what it is said to print."""
    command, printed = "", ""
    for line in console.splitlines():
        if command and is_open(command):
            command += f"\n{line}"
        elif line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line[2:], ""
        else:
            printed += f"{line}\n"
    yield command, printed


def is_open(command: str) -> bool:
    try:
        return not shlex.split(command)
    except ValueError:
        return True


def plain(printed: str) -> str:
    """Return what is printed without what differs from day to day."""
    printed = re.sub(r"\d{4}-\d\d-\d\d", "DATE", printed)
    printed = re.sub(r"in \d+\.\d+ s", "in SOME s", printed)
    return re.sub(r"batches \d+", "batches SOME", printed).strip()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Reader:
    """Somebody who does what the page says, in a folder, and opens its links."""

    def __init__(self, page: str, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.port = free_port()
        self.server: Any = None
        own = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        kept = {name: value for name, value in os.environ.items() if "DJANGO" not in name}
        self.environment = {**kept, "PATH": own, "PYTHONPATH": str(settings.BASE_DIR)}
        self.cookies = http.cookiejar.CookieJar()
        keeping = urllib.request.HTTPCookieProcessor(self.cookies)
        self.browser = urllib.request.build_opener(keeping)
        #: address -> what was last shown there
        self.seen: dict[str, str] = {}

    def follow(self) -> None:
        for step in STEP.finditer(self.page):
            if step["path"]:
                self.write(step["path"], step["code"], is_more=bool(step["at_end"]))
            elif step["url"]:
                self.visit(step["url"])
            else:
                for command, printed in commands(step["console"]):
                    assert plain(self.do(command)) == plain(printed), command

    def write(self, path: str, code: str, *, is_more: bool) -> None:
        assert not (self.server and path.endswith(".py")), "nothing reloads the site here"
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() if is_more else ""
        file.write_text(before + code)

    def do(self, command: str) -> str:
        if command.startswith(PASSED_OVER):
            return ""
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environment[name] = value
            return ""
        if command == "python manage.py runserver":
            return self.start()
        if command.startswith("pkill -9"):
            return self.kill()
        if command.startswith("curl -s "):
            return self.visit(command.removeprefix("curl -s "))
        return self.run(command)

    def run(self, command: str) -> str:
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> str:
        """Start the site without its reloader, and wait until it listens."""
        address = f"127.0.0.1:{self.port}"
        command = [sys.executable, "-u", "manage.py", "runserver", "--noreload", address]
        self.server = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        while "Starting development server" not in (line := self.server.stdout.readline()):
            assert line, "the site does not start"
        return ""

    def kill(self) -> str:
        if self.server:
            with self.server:
                self.server.kill()
        self.server = None
        return ""

    def visit(self, url: str) -> str:
        found = self.read(url)
        if "/login/" in found.url:
            found = self.read(found.url, self.form(found.read().decode()))
            assert "/login/" not in found.url, "the page names a wrong account"
        self.seen[url.partition(":8000")[2]] = shown = found.read().decode()
        return shown

    def read(self, url: str, form: dict[str, str] | None = None) -> Any:
        url = url.replace(":8000", f":{self.port}")
        data = urllib.parse.urlencode(form).encode() if form else None
        return self.browser.open(url, data, timeout=LIMIT_SECONDS)

    def form(self, login: str) -> dict[str, str]:
        """Return the form of the login page, filled in with the account of the tutorial."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', login)
        user = re.search(r"as `(\w+)`, with the password\s+`([\w-]+)`", self.page)
        assert token
        assert user
        return {"csrfmiddlewaretoken": token[1], "username": user[1], "password": user[2]}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(PAGE.read_text(), tmp_path)
    yield reader
    reader.kill()


def test_tutorial_does_what_it_says(reader: Reader) -> None:
    reader.follow()
    assert "324 times this week" in reader.seen["/pages/1/"]
    assert 'class="trackable-chart' in reader.seen["/pages/1/"]
    assert f'href="{STATISTICS}"' in reader.seen["/admin/pages/page/1/change/"]
    assert "<svg" in reader.seen[STATISTICS]
