"""The migrations in the repository are those that the models ask for."""

import pytest
from django.core.management import call_command

from trackable_tests.tables import for_each


@pytest.mark.django_db(databases="__all__")
@for_each("app", ["trackable", "trackable_beacons", "testapp", "campaigns"])
def test_models_and_migrations_agree(app: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("makemigrations", app, check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out
