"""The process that fuzzes one target, with a database of its own in memory."""

from __future__ import annotations

import logging
import os
import resource
import sys
from typing import Final

#: of addresses: what one allocation may ask for, which the bound on resident memory cannot see
ADDRESS_BYTES: Final = 4 << 30
#: what is instrumented: the code that is fuzzed, not what it runs on
INSTRUMENTED: Final = ["trackable"]


def run(name: str, options: list[str]) -> None:
    """Fuzz a target with libFuzzer's options until these end it."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        set_up()
        from trackable_tests.fuzzing.targets import TARGETS, forget
    _make_database()
    forget()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    target = TARGETS[name]

    def fuzz_one(data: bytes) -> None:
        target(data)  # what it returns would mean something else to libFuzzer

    atheris.Setup([sys.argv[0], *options], fuzz_one)
    atheris.Fuzz()


def set_up() -> None:
    """Load Django with the settings of the tests."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackable_tests.settings")
    import django

    django.setup()
    logging.disable()


def _make_database() -> None:
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("migrate", verbosity=0)
