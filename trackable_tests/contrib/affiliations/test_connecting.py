"""Connecting: right triggers fire, wrong ones are told of and keep nobody from theirs."""

from typing import Any

import pytest
from django.apps import apps
from django.db.models.signals import post_save
from django.dispatch import Signal

from trackable.contrib.affiliations import connecting
from trackable.contrib.affiliations.connecting import BadTrigger, read
from trackable_tests.contrib.affiliations.pages import OBJECT_CREATED, POST_SAVE
from trackable_tests.contrib.campaigns.models import Campaign
from trackable_tests.tables import for_each

CAMPAIGN = "trackable_tests.contrib.campaigns.models.Campaign"
HERE = __name__

shipped = Signal()
heard: list[tuple[str, Any]] = []


def hear(sender: Any, affiliate_trigger_name: str, **kwargs: Any) -> None:
    heard.append((affiliate_trigger_name, sender))


def deaf(sender: Any) -> None: ...


@pytest.fixture(autouse=True)
def silence() -> None:
    heard.clear()


def entry(*changes: tuple[int, Any]) -> tuple[Any, ...]:
    """Return a right entry, with something else in some places."""
    found: list[Any] = ["Started", POST_SAVE, f"{HERE}.hear", CAMPAIGN]
    for place, value in changes:
        found[place] = value
    return tuple(found)


def test_receiver_of_one_s_own_hears_a_signal_of_one_s_own(settings: Any) -> None:
    settings.AFFILIATE_TRIGGERS = [("Shipped", f"{HERE}.shipped", f"{HERE}.hear", CAMPAIGN)]
    shipped.send(sender=Campaign)
    shipped.send(sender=None)
    assert heard == [("Shipped", Campaign)]


@pytest.mark.django_db
def test_right_ones_are_connected_beside_wrong_ones(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AFFILIATE_TRIGGERS = [entry((1, "no.such.signal")), None, entry(), ["Alone"]]
    Campaign.objects.create(name="spring")
    assert heard == [("Started", Campaign)]
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith(
        "The affiliate trigger \"'Started'\" is not connected: 'no.such.signal'"
    )
    assert "'None'" in second


@pytest.mark.django_db
def test_starting_again_connects_nothing_twice(settings: Any) -> None:
    settings.AFFILIATE_TRIGGERS = [entry()]
    apps.get_app_config("trackable_affiliations").ready()
    Campaign.objects.create(name="spring")
    assert heard == [("Started", Campaign)]


@pytest.mark.django_db
def test_one_receiver_may_have_several_triggers_of_a_sender(settings: Any) -> None:
    settings.AFFILIATE_TRIGGERS = [entry(), entry((0, "Also started"))]
    Campaign.objects.create(name="spring")
    assert sorted(name for name, _ in heard) == ["Also started", "Started"]


@pytest.mark.django_db
def test_setting_that_is_no_more_connects_no_more(settings: Any) -> None:
    before = len(post_save.receivers)
    settings.AFFILIATE_TRIGGERS = [entry()]
    assert len(post_save.receivers) == before + 1
    settings.AFFILIATE_TRIGGERS = []
    Campaign.objects.create(name="spring")
    assert heard == []
    assert len(post_save.receivers) == before


@for_each("sender", ["campaigns.Campaign", "campaigns.campaign", CAMPAIGN])
def test_sender_may_be_a_label(sender: str) -> None:
    trigger = read(entry((3, sender)))
    assert trigger is not None
    assert trigger.sender is Campaign


def test_sender_may_be_the_user_model_by_its_setting(settings: Any) -> None:
    trigger = read(entry((3, settings.AUTH_USER_MODEL)))
    assert trigger is not None
    assert trigger.sender._meta.label == "auth.User"


def test_name_alone_is_connected_to_nothing() -> None:
    assert read(("Called us",)) is None


@for_each(
    "wrong, reason",
    [
        (None, "it is no tuple of a name"),
        ("Started", "it is no tuple of a name"),
        ((), "it is no tuple of a name"),
        (("a", "b"), "it is no tuple of a name"),
        (("a", "b", "c", "d", "e"), "it is no tuple of a name"),
        (entry((0, 5)), "it is no tuple of a name"),
        (entry((3, Campaign)), "it is no tuple of a name"),
        (entry((0, "")), "its name must have"),
        (entry((0, "x" * 101)), "its name must have"),
        (("x" * 101,), "its name must have"),
        (entry((1, "post_save")), "'post_save' cannot be imported"),
        (entry((1, "no.such.module")), "'no.such.module' cannot be imported"),
        (entry((1, "django.db.models.signals.no_such")), "no_such' cannot be imported"),
        (entry((1, "")), "'' cannot be imported"),
        (entry((1, "..")), "'..' cannot be imported"),
        (entry((1, "é\n.x")), r"'\xe9\n.x' cannot be imported"),
        (entry((1, CAMPAIGN)), "Campaign' is no signal"),
        (entry((2, f"{HERE}.heard")), "heard' is no function"),
        (entry((2, f"{HERE}.deaf")), "deaf' is no function that takes **kwargs"),
        (entry((2, "django.conf.urls.no_such.x")), "cannot be imported"),
        (entry((3, "campaigns.Nothing")), "'campaigns.Nothing' cannot be imported"),
        (entry((3, "trackable.models.TrackableData")), "is abstract"),
        (entry((3, "trackable_tests.testapp.models.Swapped")), "is swapped out: name testapp."),
    ],
)
def test_wrong_entry_says_what_is_wrong(wrong: Any, reason: str) -> None:
    with pytest.raises(BadTrigger) as caught:
        read(wrong)
    assert reason in str(caught.value)


def test_module_that_raises_is_told_of_without_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def explode(path: str) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(connecting, "import_string", explode)
    with pytest.raises(BadTrigger) as caught:
        read(entry())
    assert (
        str(caught.value) == f"{POST_SAVE!r} cannot be imported: ZeroDivisionError is raised there"
    )


def test_built_in_receivers_are_right() -> None:
    for name in ("object_created", "object_saved"):
        path = OBJECT_CREATED.replace("object_created", name)
        assert read(entry((2, path))) is not None
