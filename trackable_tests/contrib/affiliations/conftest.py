"""Fixtures of affiliations: the server of a partner, and names that lead to it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trackable_tests.contrib.affiliations.partner_site import PartnerSite
from trackable_tests.services import missing

Names = dict[str, list[list[str]]]


@pytest.fixture
def partner_site(settings: Any) -> Iterator[PartnerSite]:
    """A partner's server on loopback, which may be called here."""
    settings.AFFILIATE_CALLBACK_ALLOW_PRIVATE = True
    site = PartnerSite()
    yield site
    site.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Names, and the addresses that each look-up of them gives; the last ones stay.

    Nothing else is resolved, so that no test asks the network.
    """
    known: Names = {}

    def resolve(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        answers = known.get(host) or [[host]]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [each for text in found for each in literal(text, port)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


_getaddrinfo = socket.getaddrinfo


def literal(text: str, port: int) -> list[Any]:
    numeric = socket.AI_NUMERICHOST
    return _getaddrinfo(text, port, type=socket.SOCK_STREAM, flags=numeric)


@pytest.fixture(scope="session")
def certificate_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make the certificate of a name, with its key, which nobody trusts yet."""

    def make(name: str) -> Path:
        path = tmp_path_factory.mktemp("certificates") / f"{name}.pem"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
        command = ["openssl", "req", "-x509", *key, *subject, *files, "-days", "2"]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except FileNotFoundError:
            missing("There is no openssl here, to make certificates.")
        with path.open("a") as file:
            file.write(path.with_suffix(".crt").read_text())
        return path

    return make
