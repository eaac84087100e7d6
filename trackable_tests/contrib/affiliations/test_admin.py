"""The admin shows partners, their visitors and calls, has calls tried again, and reports."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from trackable.admin import paging
from trackable.contrib.affiliations import timespans
from trackable.contrib.affiliations.admin import (
    CallbackAdmin,
    PartnerAdmin,
    VisitorAdmin,
)
from trackable.contrib.affiliations.models import (
    Attempt,
    Callback,
    Partner,
    PartnerData,
    Subscription,
    Visitor,
)
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.contrib.affiliations.owing import State, attempts_of, fresh, owe
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db

URL = "/admin/trackable_affiliations"
TRIGGERS = [("Registered",), ("Paid",)]
CALLBACK_URL = "https://partner.example/?v={visitor_id}"


@pytest.fixture
def client(admin_client: Client, settings: Any) -> Client:
    settings.AFFILIATE_TRIGGERS = TRIGGERS
    return admin_client


def page(client: Client, path: str, **params: Any) -> str:
    return text_at(client, f"{URL}/{path}", **params)


def partner(name: str = "Harbour", **values: Any) -> Partner:
    return Partner.objects.create(name=name, active=True, **values)


def bring(whose: Partner, days_ago: int, referrals: int, conversions: int = 0) -> None:
    PartnerData.objects.create(
        parent=whose,
        collected_during=timespans.today() - timedelta(days=days_ago),
        referrals=referrals,
        conversions=conversions,
    )


def cells(text: str, column: str) -> list[str]:
    return re.findall(rf'<td class="field-{column}[^"]*">(.*?)</td>', text)


# partners


def test_list_tells_what_partners_brought_in_thirty_days(client: Client) -> None:
    one, _ = partner("One"), partner("Two")
    for days_ago in (0, 29, 30):
        bring(one, days_ago, 5, 1)
    text = page(client, "partner/")
    assert cells(text, "referrals") == ["10", "0"]
    assert cells(text, "conversions") == ["2", "0"]


def test_list_of_partners_takes_as_many_queries_for_twenty_as_for_one(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        bring(partner(f"P{number}"), 1, number)
    with django_assert_max_num_queries(7):
        page(client, "partner/")


def test_uid_and_secret_are_shown_and_never_edited(client: Client) -> None:
    whose = partner()
    text = page(client, f"partner/{whose.pk}/change/")
    assert whose.uid in text
    assert whose.secret in text
    assert 'name="secret"' not in text
    data = {"name": "New", "uid": "hijacked", "secret": "known", **subscriptions()}
    assert client.post(f"{URL}/partner/{whose.pk}/change/", data).status_code == 302
    found = Partner.objects.get()
    assert (found.name, found.uid, found.secret) == ("New", whose.uid, whose.secret)


def test_secret_is_not_shown_to_who_may_only_look() -> None:
    whose = partner()
    text = page(staff("view_partner"), f"partner/{whose.pk}/change/")
    assert whose.uid in text
    assert whose.secret not in text


@for_each("lookup", ["secret__startswith", "secret__regex", "secret"])
def test_secret_is_not_found_out_by_who_may_only_look(lookup: str) -> None:
    response = staff("view_partner").get(f"{URL}/partner/", {lookup: partner().secret})
    assert response.status_code == 400


@for_each("admin_cls", [PartnerAdmin, VisitorAdmin, CallbackAdmin])
def test_no_list_is_filtered_by_a_secret(admin_cls: Any) -> None:
    model = {PartnerAdmin: Partner, VisitorAdmin: Visitor, CallbackAdmin: Callback}[admin_cls]
    made = admin_cls(model, admin.site)
    made.list_filter = ["partner__secret", "visitor__partner__secret"]
    for lookup in ("secret", "partner__secret__gte", "visitor__partner__secret__startswith"):
        assert not made.lookup_allowed(lookup, "a", None)
    assert made.lookup_allowed("id__exact", "1", None)


def subscriptions(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    data: dict[str, Any] = {
        "subscriptions-TOTAL_FORMS": len(rows),
        "subscriptions-INITIAL_FORMS": initial,
    }
    for number, row in enumerate(rows):
        data |= {f"subscriptions-{number}-{name}": value for name, value in row.items()}
    return data


def test_partner_is_made_with_its_subscriptions(client: Client) -> None:
    assert "secret" not in page(client, "partner/add/")
    row = {"trigger": "Paid", "callback_url": CALLBACK_URL}
    data = {"name": "Harbour", "active": "on", **subscriptions(row)}
    assert client.post(f"{URL}/partner/add/", data).status_code == 302
    found = Subscription.objects.get()
    assert (found.trigger, found.callback_url) == ("Paid", CALLBACK_URL)
    assert (len(found.partner.uid), len(found.partner.secret)) == (8, 43)


@for_each(
    "row, error",
    [
        ({"trigger": "Other", "callback_url": CALLBACK_URL}, "Other is not one of the"),
        ({"trigger": "Paid", "callback_url": "https://partner.example/"}, "{visitor_id}"),
        ({"trigger": "Paid", "callback_url": "ftp://x/{visitor_id}"}, "neither http nor https"),
    ],
)
def test_subscription_that_cannot_work_is_refused(
    client: Client, row: dict[str, str], error: str
) -> None:
    data = {"name": "Harbour", **subscriptions(row)}
    response = client.post(f"{URL}/partner/add/", data)
    assert error in str(response.context["errors"])
    assert not Partner.objects.exists()


def test_two_subscriptions_to_one_trigger_are_refused(client: Client) -> None:
    row = {"trigger": "Paid", "callback_url": CALLBACK_URL}
    response = client.post(f"{URL}/partner/add/", {"name": "x", **subscriptions(row, row)})
    assert "duplicate" in str(response.context["errors"])


def test_subscription_to_a_trigger_that_is_gone_stays_as_it_is(client: Client) -> None:
    whose = partner()
    gone = Subscription.objects.create(partner=whose, trigger="Gone", callback_url=CALLBACK_URL)
    assert "Gone (not configured)" in page(client, f"partner/{whose.pk}/change/")
    keys = {"id": gone.pk, "partner": whose.pk}
    row = {"trigger": "Gone", "callback_url": f"{CALLBACK_URL}&b", **keys}
    data = {"name": "New", **subscriptions(row, initial=1)}
    assert client.post(f"{URL}/partner/{whose.pk}/change/", data).status_code == 302
    assert Subscription.objects.get().callback_url == f"{CALLBACK_URL}&b"
    row["trigger"] = "Other"
    data = {"name": "New", **subscriptions(row, initial=1)}
    assert client.post(f"{URL}/partner/{whose.pk}/change/", data).status_code == 200


def test_partner_with_visitors_cannot_be_deleted(client: Client) -> None:
    empty, whose = partner("Empty"), partner()
    Visitor.objects.create(partner=whose)
    assert client.post(f"{URL}/partner/{whose.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{URL}/partner/{empty.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(Partner.objects.all()) == [whose]


# visitors


def test_visitors_are_shown_and_neither_added_nor_changed_nor_deleted(client: Client) -> None:
    visitor = Visitor.objects.create(partner=partner("<b>"), entry_point="/<script>")
    for path in ("visitor/", f"visitor/{visitor.pk}/change/"):
        text = page(client, path)
        assert "/&lt;script&gt;" in text
        assert "<script>/" not in text
        assert "&lt;b&gt;" in text
    assert client.get(f"{URL}/visitor/add/").status_code == 403
    assert client.post(f"{URL}/visitor/{visitor.pk}/delete/").status_code == 403
    assert client.post(f"{URL}/visitor/{visitor.pk}/change/", {}).status_code == 403


def test_visitors_are_found_by_number_and_partner(client: Client) -> None:
    one, other = partner("One"), partner("Other")
    visitors = [Visitor.objects.create(partner=whose) for whose in (one, one, other)]
    numbers = {
        term: cells(page(client, "visitor/", q=term), "number")
        for term in (str(visitors[0].pk), one.uid, "nobody", "9" * 30, "-1", "%")
    }
    assert numbers[str(visitors[0].pk)] == [str(visitors[0].pk)]
    assert sorted(numbers[one.uid]) == sorted(str(each.pk) for each in visitors[:2])
    assert [numbers[term] for term in ("nobody", "9" * 30, "-1", "%")] == [[]] * 4


@for_each("value, found", [("yes", 1), ("no", 2), ("x", 3)])
def test_visitors_are_filtered_by_success(client: Client, value: str, found: int) -> None:
    whose = partner()
    for successful_on in (None, None, timezone.now()):
        Visitor.objects.create(partner=whose, successful_on=successful_on)
    assert len(cells(page(client, "visitor/", success=value), "number")) == found


def test_long_table_is_neither_counted_nor_shown_to_its_end(
    client: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(paging, "MAX_LISTED", 120)
    whose = partner()
    Visitor.objects.bulk_create([Visitor(partner=whose) for _ in range(150)])
    with django_assert_max_num_queries(5) as queries:
        text = page(client, "visitor/", p=2)
    assert len(cells(text, "number")) == 20
    counting = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert len(counting) == 1
    assert "LIMIT 121" in counting[0]  # one more tells whether there are more


def act(client: Client, path: str, action: str, *chosen: Any, **params: str) -> Any:
    data = {"action": action, "_selected_action": [str(each.pk) for each in chosen], **params}
    return client.post(f"{URL}/{path}/", data, follow=True)


def test_erasing_asks_first_and_takes_what_is_personal(client: Client) -> None:
    user = User.objects.create_user("visitor")
    visitor = Visitor.objects.create(partner=partner(), user=user, entry_point="/for/me")
    asked = act(client, "visitor", "erase_selected", visitor).content.decode()
    assert "1 visitor will lose the user" in asked
    assert Visitor.objects.get().user == user
    done = act(client, "visitor", "erase_selected", visitor, sure="1").content.decode()
    assert "1 visitor was erased." in done
    found = Visitor.objects.get()
    assert (found.user, found.entry_point, found.erased_on is None) == (None, "", False)


def test_erasing_needs_the_permission_to_delete() -> None:
    visitor = Visitor.objects.create(partner=partner(), entry_point="/for/me")
    client = staff("view_visitor", "change_visitor")
    act(client, "visitor", "erase_selected", visitor, sure="1")
    assert Visitor.objects.get().erased_on is None


# callbacks


def test_callbacks_tell_how_they_stand_and_why(client: Client) -> None:
    callback = owe("https://partner.example/?v=<7>", state=State.FAILED, attempts_made=2)
    for error in ("it answered 503", "no connection: <b>"):
        Attempt.objects.create(callback=callback, error=error, status_code=503, duration_ms=12)
    text = page(client, "callback/")
    assert cells(text, "reason") == ["no connection: &lt;b&gt;"]
    text = page(client, f"callback/{callback.pk}/change/")
    for shown in ("it answered 503", "no connection: &lt;b&gt;", str(callback.key), "v=&lt;7&gt;"):
        assert shown in text
    assert callback.visitor.partner.secret not in text


def test_callbacks_are_neither_added_nor_changed_nor_deleted(client: Client) -> None:
    callback = owe("https://partner.example/")
    assert client.get(f"{URL}/callback/add/").status_code == 403
    assert client.post(f"{URL}/callback/{callback.pk}/change/", {}).status_code == 403
    assert client.post(f"{URL}/callback/{callback.pk}/delete/").status_code == 403
    text = act(client, "callback", "delete_selected", callback).content.decode()
    assert "No action selected" in text
    assert Callback.objects.exists()


def test_list_of_callbacks_takes_few_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        callback = owe("https://partner.example/", partner=partner(f"P{number}"))
        Attempt.objects.create(callback=callback, error="it answered 503")
    with django_assert_max_num_queries(7):
        page(client, "callback/")


def test_callbacks_are_filtered_and_found(client: Client) -> None:
    one = owe("https://partner.example/", state=State.REFUSED)
    other = owe("https://partner.example/")
    Callback.objects.filter(pk=other.pk).update(trigger="Paid")

    def found(**params: Any) -> list[str]:
        text = page(client, "callback/", **params)
        return re.findall(r"/callback/(\d+)/change/", text)

    key = str(one.pk)
    assert found(state__exact="refused") == found(trigger="Registered") == [key]
    assert found(q=str(one.key)) == found(q=one.key.hex) == found(q=one.visitor_id) == [key]
    assert found(q=one.visitor.partner.uid) == [key]
    assert found(q="nothing") == found(q="%") == []
    assert client.get(f"{URL}/callback/", {"created_at__gte": "x"}).status_code == 302


def test_selected_callbacks_are_tried_again(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    failed = owe("https://partner.example/", state=State.FAILED, attempts_made=12)
    delivered = owe("https://partner.example/", state=State.DELIVERED)
    text = act(client, "callback", "retry_selected", failed, delivered).content.decode()
    assert "1 callback is due now." in text
    assert "1 callback was left: it is delivered" in text
    assert (fresh(failed).state, fresh(failed).attempts_made) == (State.PENDING, 0)
    assert "'admin' has 1 callbacks tried again" in caplog.text
    assert attempts_of(failed) == []


def test_all_that_match_are_tried_again(client: Client) -> None:
    whose = partner()
    found = [owe("https://a.example/", partner=whose, state=State.FAILED) for _ in range(120)]
    other = owe("https://a.example/", state=State.REFUSED)
    params = {"select_across": "1", "index": "0"}
    data = {"action": "retry_selected", "_selected_action": [str(found[0].pk)], **params}
    client.post(f"{URL}/callback/?state__exact=failed", data)
    assert Callback.objects.filter(state=State.PENDING).count() == 120
    assert fresh(other).state == State.REFUSED


def test_trying_again_needs_the_permission_to_change() -> None:
    failed = owe("https://partner.example/", state=State.FAILED)
    client = staff("view_callback")
    assert "Try the selected" not in page(client, "callback/")
    act(client, "callback", "retry_selected", failed)
    assert fresh(failed).state == State.FAILED


def test_permission_to_change_lets_try_again_and_nothing_else() -> None:
    failed = owe("https://partner.example/", state=State.FAILED)
    client = staff("view_callback", "change_callback")
    act(client, "callback", "retry_selected", failed)
    assert fresh(failed).state == State.PENDING
    assert client.post(f"{URL}/callback/{failed.pk}/change/", {}).status_code == 403


# the report


REPORT = f"{URL}/partner/report/"


def report(client: Client, **params: Any) -> str:
    return text_at(client, REPORT, **params)


def numbers_of(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr>\s*<th scope=\"row\">(.*?)</tr>", text, re.DOTALL)
    return [re.findall(r'<td class="number">(.*?)</td>', row) for row in rows]


def test_report_is_linked_from_the_list(client: Client) -> None:
    assert REPORT in page(client, "partner/")


def test_report_shows_thirty_days_unless_asked(client: Client) -> None:
    whose = partner("<b>One")
    for days_ago in (0, 29, 30):
        bring(whose, days_ago, 20, 1)
    owe("https://partner.example/", partner=whose, state=State.DELIVERED)
    text = report(client)
    assert "&lt;b&gt;One" in text
    line = ["40", "2", "5.0\u00a0%", "1", "0", "0", "0"]
    assert numbers_of(text) == [line, line]  # of the partner, and of all


def test_report_by_day_names_the_days(client: Client) -> None:
    whose = partner()
    bring(whose, 0, 3)
    bring(whose, 1, 4)
    today = timespans.today()
    text = report(client, by="day", first=today - timedelta(days=1), last=today)
    assert re.findall(r'<td class="nowrap">(.*?)</td>', text) == [
        today.isoformat(),
        (today - timedelta(days=1)).isoformat(),
    ]


def test_report_goes_on_for_many_partners(client: Client) -> None:
    for number in range(150):
        partner(f"P{number:03}")
    assert len(numbers_of(report(client))) == 101
    text = report(client, page=2)
    assert len(numbers_of(text)) == 51
    assert "150 partners" in text
    assert 'href="?page=1"' in text


@for_each("number", ["0", "-1", "999", "x", ""])
def test_page_that_is_none_is_another(client: Client, number: str) -> None:
    partner()
    assert len(numbers_of(report(client, page=number))) == 2


@for_each(
    "params, error",
    [
        ({"first": "2026-11-21", "last": "2026-11-20"}, "must not be before the first"),
        ({"first": "x"}, "Enter a valid date"),
        ({"first": ""}, "required"),
        ({"first": "0001-01-01"}, "must not be before the first"),
        ({"last": "9999-12-31"}, "must not be before the first"),
        ({"first": "2020-01-01", "last": "2026-01-01", "by": "day"}, "more than 366 periods"),
        ({"by": "hour"}, "Select a valid choice"),
        ({"search": "x" * 251}, "at most 250 characters"),
    ],
)
@for_each("form", ["", "csv"])
def test_odd_question_is_answered_with_what_is_wrong(
    client: Client, params: dict[str, str], error: str, form: str
) -> None:
    text = report(client, format=form, **params)
    assert error in text
    assert "result_list" not in text


def test_report_is_downloaded_as_csv(client: Client) -> None:
    bring(partner("=1+1"), 0, 4, 1)
    response = client.get(REPORT, {"format": "csv", "by": "day"})
    today = timespans.today()
    name = f"partners-{today - timedelta(days=29)}-{today}.csv"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    (line,) = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode()))
    assert (line["partner"], line["referrals"], line["rate"]) == ("'=1+1", "4", "0.25")


@pytest.mark.parametrize("form", ["", "csv"])
def test_report_is_for_who_may_see_partners(form: str) -> None:
    assert Client().get(REPORT, {"format": form}).status_code == 302
    assert staff("view_callback").get(REPORT, {"format": form}).status_code == 403


def test_who_may_see_partners_may_see_the_report() -> None:
    assert "Report by partner" in report(staff("view_partner"))


@for_each("path", ["partner/", "visitor/", "callback/", "partner/report/"])
def test_pages_work_without_time_zone_support(client: Client, settings: Any, path: str) -> None:
    settings.USE_TZ = False
    assert page(client, path)
