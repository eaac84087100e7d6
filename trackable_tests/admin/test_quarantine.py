"""The admin pages of the quarantine: what is shown, and what is folded again or purged."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from trackable.admin.quarantine import MAX_PAYLOAD_LENGTH
from trackable.batches import Malformed, id_time
from trackable.exceptions import LedgerRefused
from trackable.folding import engine, retry
from trackable.folding.engine import fold
from trackable.folding.quarantine import OLDER
from trackable.models import QuarantinedMessage
from trackable_tests.admin.pages import staff, text_of
from trackable_tests.counting import a_page, batch, entry, reasons, total
from trackable_tests.folding.aside import long_ago, set_aside, unreadable
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page, PageTotals

pytestmark = pytest.mark.django_db

TOTALS = "testapp.PageTotals"
LIST = "/admin/trackable/quarantinedmessage/"


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def a_message(**kwargs: Any) -> QuarantinedMessage:
    values = {"data_class": "testapp.PageData", "reason": "its object does not exist"}
    values |= {"payload": "{}", "quarantined_at": timezone.now(), "increments": 3}
    return QuarantinedMessage.objects.create(**{"batch_id": uuid4().hex, **values, **kwargs})


def messages() -> list[QuarantinedMessage]:
    return list(QuarantinedMessage.objects.order_by("pk"))


# what is shown


def test_quarantine_shows_reason_class_increments_and_age(client: Client) -> None:
    a_message(quarantined_at=timezone.now() - timedelta(hours=3, minutes=1))
    text = text_of(client, "quarantinedmessage/")
    for shown in ("its object does not exist", "testapp.PageData", "3\xa0hours"):
        assert shown in text


def test_payload_is_shown_escaped(client: Client) -> None:
    message = a_message(payload="<script>alert('x')</script>", reason="<b>bad</b>")
    for url in ("quarantinedmessage/", f"quarantinedmessage/{message.pk}/change/"):
        text = text_of(client, url)
        assert "<b>bad</b>" not in text
        assert "<script>alert('x')" not in text
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in text


def test_long_payload_is_cut_and_never_read_for_the_list(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    message = a_message(payload="é" * (MAX_PAYLOAD_LENGTH + 5))
    text = text_of(client, f"quarantinedmessage/{message.pk}/change/")
    assert text.count("é") == MAX_PAYLOAD_LENGTH
    assert f"The first {MAX_PAYLOAD_LENGTH} of {MAX_PAYLOAD_LENGTH + 5} characters." in text
    with django_assert_max_num_queries(10) as queries:
        text_of(client, "quarantinedmessage/")
    assert not any('"payload"' in query["sql"] for query in queries.captured_queries)


def test_nobody_adds_or_changes_what_is_kept(client: Client) -> None:
    pk = a_message().pk
    assert client.get("/admin/trackable/quarantinedmessage/add/").status_code == 403
    url = f"/admin/trackable/quarantinedmessage/{pk}/change/"
    assert client.post(url, {"reason": "x"}).status_code == 403
    assert "Save" not in text_of(client, f"quarantinedmessage/{pk}/change/")


def test_quarantine_is_filtered_by_data_class(client: Client) -> None:
    a_message(reason="reason one")
    a_message(reason="reason two", data_class="shop.Gone")
    assert "reason two" not in text_of(
        client, "quarantinedmessage/", **{"class": "testapp.PageData"}
    )
    other = text_of(client, "quarantinedmessage/", **{"class": "other"})
    assert "reason two" in other
    assert "reason one" not in other


@for_each("form", [str, str.upper, lambda text: f" {text[:8]}-{text[8:]} "])
def test_batches_are_found_by_id(client: Client, form: Any) -> None:
    wanted = a_message(reason="reason one")
    a_message(reason="reason two")
    text = text_of(client, "quarantinedmessage/", q=form(wanted.batch_id))
    assert "reason one" in text
    assert "reason two" not in text
    assert "reason one" not in text_of(client, "quarantinedmessage/", q="nonsense")


def purge(client: Client, *messages: QuarantinedMessage, **params: str) -> Any:
    selected = {
        "action": "delete_selected",
        "_selected_action": [str(each.pk) for each in messages],
    }
    return client.post("/admin/trackable/quarantinedmessage/", {**selected, **params})


def test_purging_asks_first(client: Client) -> None:
    messages = [a_message(), a_message()]
    asked = purge(client, *messages).content.decode()
    assert "2 messages will be removed for good" in asked
    for message in messages:
        assert f'name="_selected_action" value="{message.pk}"' in asked
    assert QuarantinedMessage.objects.count() == 2


def test_purging_removes_the_selected(client: Client) -> None:
    messages = [a_message(), a_message(), a_message()]
    response = purge(client, *messages[:2], newest=str(messages[-1].pk))
    assert response.status_code == 302
    assert list(QuarantinedMessage.objects.all()) == messages[2:]


def test_purging_all_that_match_asks_for_no_names(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        a_message()
    kept = a_message(data_class="shop.Gone")
    url = "/admin/trackable/quarantinedmessage/?class=testapp.PageData"
    chosen = {"action": "delete_selected", "select_across": "1", "_selected_action": [str(kept.pk)]}
    with django_assert_max_num_queries(15):
        assert b"30 messages" in client.post(url, chosen).content
        client.post(url, {**chosen, "newest": str(kept.pk)})
    assert list(QuarantinedMessage.objects.all()) == [kept]


def test_what_comes_while_the_question_is_asked_is_kept(client: Client) -> None:
    asked_about = [a_message(), a_message()]
    chosen = {"action": "delete_selected", "select_across": "1"}
    chosen["_selected_action"] = str(asked_about[0].pk)
    [newest] = re.findall(
        r'name="newest" value="(\d+)"', client.post(LIST, chosen).content.decode()
    )
    late = a_message()
    client.post(LIST, {**chosen, "newest": newest})
    assert messages() == [late]


@for_each("newest", ["", "yes", "-1", "9" * 5000])
def test_an_answer_to_no_question_purges_nothing(client: Client, newest: str) -> None:
    message = a_message()
    assert b"will be removed for good" in purge(client, message, newest=newest).content
    assert messages() == [message]


def test_purging_needs_permission_to_delete() -> None:
    message = a_message()
    client = staff("view_quarantinedmessage")
    assert "Purge" not in text_of(client, "quarantinedmessage/")
    purge(client, message, newest=str(message.pk))
    assert QuarantinedMessage.objects.exists()


def test_reasons_are_searched(client: Client) -> None:
    a_message(reason="The sum is more than the column can hold")
    a_message(reason="its object does not exist")
    text = text_of(client, "quarantinedmessage/", q=" SUM is ")
    assert "more than the column" in text
    assert "its object" not in text


def test_quarantine_is_filtered_by_doubt(client: Client) -> None:
    a_message(reason=f"{OLDER}; reason one")
    a_message(reason="reason two")
    shown = {
        value: text_of(client, "quarantinedmessage/", counted=value) for value in ("no", "maybe")
    }
    assert ("reason one" in shown["no"], "reason two" in shown["no"]) == (False, True)
    assert ("reason one" in shown["maybe"], "reason two" in shown["maybe"]) == (True, False)


def test_origin_is_shown(client: Client) -> None:
    moment = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
    message = a_message(batch_id=id_time(moment.timestamp()) + "a" * 20)
    for url in ("quarantinedmessage/", f"quarantinedmessage/{message.pk}/change/"):
        text = text_of(client, url)
        assert message.batch_id in text
        assert "Nov. 18, 2026, 9:30 a.m." in text


def test_what_was_no_batch_has_no_time_of_origin(client: Client) -> None:
    fold(TOTALS, [Malformed.of(TOTALS, b"{", "why")])
    assert '<td class="field-opened">-</td>' in text_of(client, "quarantinedmessage/")
    QuarantinedMessage.objects.update(batch_id="f" * 32)
    assert '<td class="field-opened">-</td>' in text_of(client, "quarantinedmessage/")


@pytest.mark.parametrize("use_tz", [True, False])
def test_a_time_that_no_calendar_has_here_is_none(
    client: Client, settings: Any, use_tz: bool
) -> None:
    """In Berlin the year 10000 has begun by then."""
    settings.TIME_ZONE, settings.USE_TZ = "Europe/Berlin", use_tz
    moment = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
    a_message(batch_id=id_time(moment.timestamp()) + "a" * 20, quarantined_at=timezone.now())
    assert '<td class="field-opened">-</td>' in text_of(client, "quarantinedmessage/")


# folding again


def act(client: Client, *chosen: QuarantinedMessage, url: str = LIST, **params: str) -> Any:
    selected = {"action": "retry_selected", "_selected_action": [str(each.pk) for each in chosen]}
    return client.post(url, {**selected, **params}, follow=True)


def test_the_selected_are_folded_again(client: Client, caplog: Any) -> None:
    caplog.set_level("INFO")
    page = a_page()
    set_aside(*(batch(PageTotals, entry(page, hits=2)) for _ in range(3)))
    text = act(client, *messages()[:2]).content.decode()
    assert "4 increments were folded." in text
    assert (total(PageTotals), len(messages())) == (2, 1)
    assert "admin has folded quarantined messages again: RetryReport(increments=4" in caplog.text


def test_what_comes_back_is_said(client: Client) -> None:
    set_aside(batch(PageTotals, entry(Page(pk=1)), entry(Page(pk=1), "likes")))
    text = act(client, *messages()).content.decode()
    assert "1 increment was folded." in text
    assert "1 message came back: its reason says why" in text
    assert "has no counter &#x27;likes&#x27;" in text


def test_what_is_gone_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    report = retry.RetryReport(gone=1, known=1)
    monkeypatch.setattr(retry, "retry", lambda *args, **kwargs: report)
    set_aside(batch(PageTotals, entry(Page(pk=1))))
    text = act(client, *messages()).content.decode()
    assert "2 messages were counted, moved or purged before." in text


def test_all_that_match_are_folded_again_in_portions(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    page = a_page()
    set_aside(*(batch(PageTotals, entry(page)) for _ in range(1200)), reason="reason one")
    set_aside(kept := batch(PageTotals, entry(page)), reason="reason two")
    everything = {"select_across": "1", "index": "0"}
    with django_assert_max_num_queries(100):
        act(client, messages()[0], url=f"{LIST}?q=reason+one", **everything)
    assert total(PageTotals) == 1200
    assert [each.batch_id for each in messages()] == [kept.id]


def test_what_may_be_counted_already_is_asked_about(client: Client) -> None:
    page = a_page()
    fold(TOTALS, [long_ago(batch(PageTotals, entry(page)))])
    set_aside(batch(PageTotals, entry(page)))
    asked = act(client, *messages())
    assert "Of the 2 selected, 1 message came so late" in asked.content.decode()
    assert (total(PageTotals), len(messages())) == (0, 2)
    assert 'name="in_doubt" value="leave"' in asked.content.decode()
    for message in messages():
        assert f'name="_selected_action" value="{message.pk}"' in asked.content.decode()


@pytest.mark.parametrize(("choice", "counted"), [("leave", 1), ("fold", 2)])
def test_the_answer_is_heeded(client: Client, choice: str, counted: int) -> None:
    page = a_page()
    fold(TOTALS, [long_ago(batch(PageTotals, entry(page)))])
    set_aside(batch(PageTotals, entry(page)))
    text = act(client, *messages(), in_doubt=choice).content.decode()
    assert (total(PageTotals), len(messages())) == (counted, 2 - counted)
    assert ("1 message was left: it may be counted already." in text) == (choice == "leave")


def test_an_answer_to_what_was_not_asked_folds_nothing_in_doubt(client: Client) -> None:
    fold(TOTALS, [long_ago(batch(PageTotals, entry(a_page())))])
    text = act(client, *messages(), in_doubt="yes").content.decode()
    assert "came so late" in text
    assert total(PageTotals) == 0


def test_what_turns_out_to_be_in_doubt_is_asked_about_the_next_time(client: Client) -> None:
    fold(TOTALS, [unreadable(long_ago(batch(PageTotals, entry(a_page()))))])
    assert "1 message came back" in act(client, *messages()).content.decode()
    assert (reasons(), total(PageTotals)) == ([OLDER], 0)
    assert "came so late" in act(client, *messages()).content.decode()


def test_folding_again_needs_its_own_permission() -> None:
    set_aside(batch(PageTotals, entry(a_page())))
    client = staff("view_quarantinedmessage", "change_quarantinedmessage")
    assert "Fold the selected" not in text_of(client, "quarantinedmessage/")
    act(client, *messages())
    assert total(PageTotals) == 0


def test_the_permission_to_fold_again_is_enough() -> None:
    set_aside(batch(PageTotals, entry(a_page())))
    client = staff("view_quarantinedmessage", "retry_quarantinedmessage")
    text = text_of(client, "quarantinedmessage/")
    assert "Fold the selected messages again" in text
    assert "Purge" not in text
    act(client, *messages())
    assert total(PageTotals) == 1


def test_a_request_in_a_transaction_is_none_here(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    set_aside(batch(PageTotals, entry(a_page())))
    act(client, *messages())
    assert total(PageTotals) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError("<down>"), LedgerRefused("<down>")], ids=type)
def test_a_database_that_refuses_is_reported(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*args: Any) -> None:
        raise error

    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(engine, "apply", refuse)
    set_aside(batch(PageTotals, entry(a_page())))
    text = act(client, *messages()).content.decode()
    assert "The database refuses: &lt;down&gt;. What is not folded by now is still here." in text
    assert reasons() == ["why"]
