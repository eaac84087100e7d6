"""The command lists what is in the quarantine, folds it again and purges it."""

from __future__ import annotations

import io
import json
import logging
import signal
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError
from django.utils import timezone

from trackable.batches import Malformed
from trackable.exceptions import LedgerRefused
from trackable.folding import engine, quarantine
from trackable.folding import retry as retrying
from trackable.folding.engine import fold
from trackable.folding.quarantine import OLDER, Reject
from trackable_tests.commands.running import Said, run
from trackable_tests.counting import a_page, batch, entry, reasons, total
from trackable_tests.folding.aside import long_ago, messages, set_aside
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page, PageData, PageTotals

pytestmark = pytest.mark.django_db

TOTALS = "testapp.PageTotals"
in_two_databases = pytest.mark.django_db(databases=["default", "other"])


def act(*arguments: str, **options: Any) -> Said:
    return run("trackable_quarantine", *arguments, **options)


def listed(*arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(act("list", "--json", *arguments).out))


def some(number: int = 3, **changes: Any) -> None:
    set_aside(*(batch(PageTotals, entry(Page(pk=n))) for n in range(1, number + 1)), **changes)


# list


def test_an_empty_quarantine_is_said_to_be_so() -> None:
    assert act("list").out == "0 messages in the quarantine of the database 'default'\n"
    assert (listed(), listed("--summary")) == ([], [])


@for_each("action", ["list", "retry", "purge"])
def test_a_class_that_nobody_knows_is_doubted(action: str) -> None:
    said = act(action, "--class", "testapp.PageTotal")
    assert said.out
    assert said.err.strip() == (
        "There is no data class 'testapp.PageTotal', and no message of one."
        " Did you mean testapp.PageTotals?"
    )


def test_a_class_that_is_gone_is_not_doubted_while_it_has_messages() -> None:
    set_aside(replace(batch(PageTotals, entry(Page(pk=1))), data_class="testapp.Gone"))
    assert act("list", "--class", "testapp.Gone", "--reason", "x").err == ""
    assert act("list", "--class", TOTALS).err == ""


def test_a_row_shows_reason_origin_and_age() -> None:
    some(1, reason="its object does not exist")
    messages().update(quarantined_at=timezone.now() - timedelta(hours=3, seconds=1))
    [kept] = messages()
    first, _headings, row = act("list").out.splitlines()
    assert first == "1 message in the quarantine of the database 'default'"
    words = row.split(maxsplit=4)
    assert words[0] == str(kept.pk)
    assert row.split() == [
        *(str(kept.pk), "3", "h", "1", kept.batch_id),
        *["testapp.PageTotals:", "its", "object", "does", "not", "exist"],
    ]


def test_what_strangers_sent_does_nothing_to_a_terminal() -> None:
    evil = "\x1b]0;owned\x07\x9b2J\u202e\r\n\x7f"
    sent = replace(batch(PageTotals, entry(Page(pk=1))), data_class=f"a{evil}.B")
    quarantine.put("default", [*Reject.of_batch(sent, evil)], timezone.now())
    for arguments in ([], ["--summary"], ["--json"], ["--json", "--summary"]):
        for line in act("list", *arguments).out.split("\n"):
            assert line.isprintable()
    assert listed()[0]["reason"] == evil


def test_json_has_it_all() -> None:
    fold(TOTALS, [long_ago(batch(PageTotals, entry(Page(pk=1), hits=2)))])
    fold(TOTALS, [Malformed.of(TOTALS, b"{", "why")])
    raw, old = listed()
    assert (raw["payload"], raw["emitted_from"], raw["may_be_counted"]) == ("{", None, False)
    [_, kept] = reversed(messages())
    assert old == {
        "database": "default",
        "id": kept.pk,
        "class": TOTALS,
        "reason": OLDER,
        "increments": 2,
        "may_be_counted": True,
        "batch": kept.batch_id,
        "emitted_from": quarantine.opened_at(kept).isoformat(),
        "quarantined_at": kept.quarantined_at.isoformat(),
        "age_seconds": old["age_seconds"],
        "retried_at": None,
        "payload": kept.payload,
    }


def test_a_long_list_is_read_in_pages(django_assert_num_queries: Any) -> None:
    some(45)
    with django_assert_num_queries(4):
        found = listed()
    assert [each["id"] for each in found] == [kept.pk for kept in reversed(messages())]


def test_the_newest_are_listed_up_to_a_limit() -> None:
    some(5)
    newest = [kept.pk for kept in reversed(messages())][:2]
    assert [each["id"] for each in listed("--limit", "2")] == newest
    lines = act("list", "--limit", "2").out.splitlines()
    assert lines[0].startswith("5 messages")
    assert [int(line.split()[0]) for line in lines[2:]] == newest


def test_a_summary_counts_by_reason() -> None:
    some(3, reason="often")
    some(1, reason="seldom")
    quarantine.put(
        "default",
        [Reject(f"{n:032}", "a.B", "much", 1 << 63, "") for n in range(2)],
        timezone.now(),
    )
    found = listed("--summary")
    assert [each["reason"] for each in found] == ["often", "much", "seldom"]
    assert (found[0]["messages"], found[0]["increments"], found[0]["class"]) == (3, 3, TOTALS)
    assert found[1]["increments"] >= (1 << 64) - 2
    rows = act("list", "--summary", "--limit", "1").out.splitlines()
    assert rows[2].split() == ["3", "0", "s", "3", "testapp.PageTotals:", "often"]
    assert len(rows) == 3


def test_messages_are_chosen() -> None:
    some(2, reason="Its Reason")
    set_aside(batch(PageData, entry(Page(pk=1))), reason="why")
    messages().filter(reason="why").update(quarantined_at=timezone.now() - timedelta(days=8))
    assert len(listed("--class", TOTALS)) == 2
    assert len(listed("--reason", "its reason")) == 2
    assert len(listed("--older-than", "7d")) == 1
    assert len(listed("--older-than", "9d")) == 0
    assert listed("--class", TOTALS, "--older-than", "7d") == []
    assert len(listed("--older-than", "2999-01-01")) == 3


@in_two_databases
def test_each_database_that_counts_has_its_own(settings: Any) -> None:
    settings.TEST_DATABASE_OF = {TOTALS: "other"}
    some(1)
    set_aside(batch(PageTotals, entry(Page(pk=1))), alias="other")
    assert [each["database"] for each in listed()] == ["default", "other"]
    assert [each["database"] for each in listed("--database", "other")] == ["other"]
    assert act("list").out.count(" in the quarantine of the database ") == 2


# retry


def test_what_is_mended_is_folded() -> None:
    some(3)
    said = act("retry")
    assert said.out == "Folded 3 increments, 3 messages left the quarantine, 0 came back\n"
    assert (total(PageTotals), reasons()) == (3, [])


def test_nothing_to_retry_is_no_failure() -> None:
    assert act("retry").out.startswith("Folded 0 increments, 0 messages")
    assert act("retry", verbosity=0).out == ""


def test_what_comes_back_is_a_failure(capsys: Any) -> None:
    set_aside(batch(PageTotals, entry(Page(pk=1), "likes")))
    with pytest.raises(CommandError, match="1 message came back: 'list' shows") as raised:
        act("retry")
    assert raised.value.returncode == 1
    assert len(reasons()) == 1


def test_only_the_chosen_are_folded_again() -> None:
    some(2, reason="one")
    some(1, reason="other")
    act("retry", "--reason", "other")
    assert (total(PageTotals), reasons()) == (1, ["one", "one"])


def test_what_may_be_counted_needs_an_option() -> None:
    fold(TOTALS, [long_ago(batch(PageTotals, entry(a_page())))])
    said = act("retry").out
    assert "1 not tried: may be counted already (--older-than-ledger folds" in said
    assert total(PageTotals) == 0
    act("retry", "--older-than-ledger")
    assert (total(PageTotals), reasons()) == (1, [])


@in_two_databases
def test_every_database_is_retried(settings: Any) -> None:
    settings.TEST_DATABASE_OF = {TOTALS: "other"}
    set_aside(batch(PageTotals, entry(Page(pk=1))), alias="other")
    some(1)
    assert act("retry").out.startswith("Folded 2 increments, 2 messages left")
    assert PageTotals.objects.using("other").get().views == 2


def test_a_signal_ends_a_retry_between_two_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "MAX_MESSAGES", 2)
    some(5)
    real = retrying._retry

    def retry_and_be_stopped(*args: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return real(*args)

    monkeypatch.setattr(retrying, "_retry", retry_and_be_stopped)
    with pytest.raises(CommandError, match="Interrupted") as raised:
        act("retry")
    assert (raised.value.returncode, total(PageTotals), len(reasons())) == (130, 2, 3)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_refuses_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "MAX_MESSAGES", 2)
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
    some(3)
    real = engine.apply

    def refuse(alias: str, label: str, group: Any) -> Any:
        if len(group[0].entries) == 1:
            raise OperationalError("down\x1b")
        return real(alias, label, group)

    monkeypatch.setattr(engine, "apply", refuse)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"refuses \(down\\x1b\)"):
        run_into(out, "retry")
    assert out.getvalue().startswith("Folded 2 increments, 2 messages left")
    assert len(reasons()) == 1


def test_a_ledger_that_refuses_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise LedgerRefused("takes no entry")

    some(1)
    monkeypatch.setattr(engine, "apply", refuse)
    with pytest.raises(CommandError, match=r"refuses \(takes no entry\)"):
        act("retry")
    assert len(reasons()) == 1


def run_into(out: io.StringIO, *arguments: str) -> None:
    from django.core.management import call_command

    call_command("trackable_quarantine", *arguments, stdout=out)


# purge


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_purge_without_a_terminal_needs_a_yes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    some(2)
    with pytest.raises(CommandError, match="2 messages would be removed for good: say --yes"):
        act("purge")
    assert len(reasons()) == 2
    assert act("purge", "--yes").out == "Purged 2 messages.\n"
    assert (reasons(), total(PageTotals)) == ([], 0)
    assert "2 quarantined messages were purged." in caplog.text


@for_each("answer, left", [("y", 0), (" YES ", 0), ("", 2), ("n", 2), ("?", 2)])
def test_a_purge_asks_on_a_terminal(
    answer: str, left: int, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    some(2)
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    if left:
        with pytest.raises(CommandError, match="Nothing is removed"):
            act("purge")
    else:
        act("purge")
    assert "Remove 2 messages for good" in capsys.readouterr().out
    assert len(reasons()) == left


def test_the_end_of_input_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    some(1)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    with pytest.raises(CommandError, match="Nothing is removed"):
        act("purge")


def test_only_the_chosen_are_purged() -> None:
    some(2, reason="one")
    some(1, reason="other")
    assert act("purge", "--reason", "one", "--yes").out == "Purged 2 messages.\n"
    assert reasons() == ["other"]


def test_what_comes_while_the_question_is_asked_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    some(1)

    def answer(question: str) -> str:
        some(1)
        return "y"

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", answer)
    assert act("purge").out == "Purged 1 message.\n"
    assert len(reasons()) == 1


def test_nothing_to_purge_asks_nothing() -> None:
    assert act("purge").out == "Purged 0 messages.\n"


# arguments


@for_each(
    "arguments, message",
    [
        (["list", "--yes"], "--yes is for 'purge' only"),
        (["purge", "--limit", "3"], "--limit is for 'list' only"),
        (["purge", "--older-than-ledger"], "--older-than-ledger is for 'retry' only"),
        (["retry", "--json"], "--json is for 'list' only"),
        (["list", "--database", "othr"], r"'othr' is no database. Did you mean other\?"),
        (["list", "--older-than", "soon"], "'soon' is no time"),
        (["list", "--older-than", "999999999d"], "is no time of this era"),
        (["mend"], "invalid choice"),
        ([], "required"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        act(*arguments)
