"""The admin pages of trackable's own models: the ledger, the quarantine and the spiders."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from trackable.admin.own import MAX_PAYLOAD_LENGTH
from trackable.models import LedgerEntry, QuarantinedMessage, Spider

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def a_message(**kwargs: Any) -> QuarantinedMessage:
    values = {"data_class": "testapp.PageData", "reason": "its object does not exist"}
    values |= {"payload": "{}", "quarantined_at": timezone.now(), "increments": 3}
    return QuarantinedMessage.objects.create(batch_id=uuid4().hex, **{**values, **kwargs})


def an_entry(**kwargs: Any) -> LedgerEntry:
    values = {"batch_id": uuid4().hex, "fold_id": uuid4().hex, "folded_at": timezone.now()}
    return LedgerEntry.objects.create(**{**values, "data_class": "testapp.PageData", **kwargs})


def text_of(client: Client, url: str, **params: str) -> str:
    response = client.get(f"/admin/trackable/{url}", params)
    assert response.status_code == 200
    return response.content.decode()


# the quarantine


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


@pytest.mark.parametrize("url", ["quarantinedmessage", "ledgerentry"])
def test_nobody_adds_or_changes_what_folds_write(client: Client, url: str) -> None:
    pk = {"quarantinedmessage": a_message, "ledgerentry": an_entry}[url]().pk
    assert client.get(f"/admin/trackable/{url}/add/").status_code == 403
    assert client.post(f"/admin/trackable/{url}/{pk}/change/", {"reason": "x"}).status_code == 403
    assert "Save" not in text_of(client, f"{url}/{pk}/change/")


def test_quarantine_is_filtered_by_data_class(client: Client) -> None:
    a_message(reason="reason one")
    a_message(reason="reason two", data_class="shop.Gone")
    assert "reason two" not in text_of(
        client, "quarantinedmessage/", **{"class": "testapp.PageData"}
    )
    other = text_of(client, "quarantinedmessage/", **{"class": "other"})
    assert "reason two" in other
    assert "reason one" not in other


@pytest.mark.parametrize("form", [str, str.upper, lambda text: f" {text[:8]}-{text[8:]} "])
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
    response = purge(client, *messages[:2], confirmed="yes")
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
        client.post(url, {**chosen, "confirmed": "yes"})
    assert list(QuarantinedMessage.objects.all()) == [kept]


def test_purging_needs_permission_to_delete() -> None:
    message = a_message()
    client = staff("view_quarantinedmessage")
    assert "Purge" not in text_of(client, "quarantinedmessage/")
    purge(client, message, confirmed="yes")
    assert QuarantinedMessage.objects.exists()


# the ledger


def test_ledger_is_shown_newest_first(client: Client) -> None:
    old = an_entry(folded_at=timezone.now() - timedelta(hours=1))
    new = an_entry(increments=42)
    text = text_of(client, "ledgerentry/")
    assert 0 < text.index(new.batch_id) < text.index(old.batch_id)
    assert ">42<" in text


def test_nobody_deletes_from_the_ledger(client: Client) -> None:
    entry = an_entry()
    assert client.post(f"/admin/trackable/ledgerentry/{entry.pk}/delete/").status_code == 403
    text = text_of(client, "ledgerentry/")
    assert 'name="action"' not in text
    assert LedgerEntry.objects.exists()


# the spiders


def test_spiders_are_edited(client: Client) -> None:
    values = {"pattern": "EvilCrawler", "kind": "substring", "notes": "seen in May"}
    assert client.post("/admin/trackable/spider/add/", values).status_code == 302
    assert Spider.objects.get().pattern == "EvilCrawler"
    assert "seen in May" in text_of(client, "spider/")


def test_expression_that_cannot_work_is_sent_back(client: Client) -> None:
    values = {"pattern": "(", "kind": "regex"}
    response = client.post("/admin/trackable/spider/add/", values)
    assert "no regular expression" in response.content.decode()
    assert not Spider.objects.exists()


def test_user_agent_is_tried(client: Client) -> None:
    agent = "FriendlyReader/1.0 (Linux; Android 15) <b>"
    before = text_of(client, "spider/try/", agent=BROWSER)
    assert "A person: counted." in before
    Spider.objects.create(pattern="friendlyreader")
    text = text_of(client, "spider/try/", agent=agent)
    assert "A crawler, not counted, because of: <code>friendlyreader</code>" in text
    assert "&lt;b&gt;" in text


def test_own_user_agent_is_tried_first(client: Client) -> None:
    response = client.get("/admin/trackable/spider/try/", headers={"User-Agent": BROWSER})
    assert BROWSER in response.content.decode()


def test_trying_tells_whether_the_filter_is_on(client: Client, settings: Any) -> None:
    assert "The filter is off" in text_of(client, "spider/try/")
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    assert "The filter is off" not in text_of(client, "spider/try/")


def test_trying_is_linked_from_the_list(client: Client) -> None:
    assert 'href="/admin/trackable/spider/try/"' in text_of(client, "spider/")


def test_trying_needs_permission() -> None:
    assert staff().get("/admin/trackable/spider/try/").status_code == 403
    assert Client().get("/admin/trackable/spider/try/").status_code == 302


def test_trying_works_with_permission_to_view() -> None:
    assert "Verdict" in text_of(staff("view_spider"), "spider/try/")
