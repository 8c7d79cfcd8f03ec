"""edit while others write, and when the terminal goes away: nothing is lost, and nothing unseen installed."""

from __future__ import annotations

import signal

import pexpect
import pytest

from mailpolicy.store.store import Store
from tests.cli.commands.desk import QUESTION, RESUME, WIDER, Desk, ended, until, waiting
from tests.helpers import MINIMAL, Run
from tests.machine import ALICE, BOB


def test_a_second_edit_is_refused_and_told_who(desk: Desk, run: Run) -> None:
    editor, there, go = waiting(desk)
    first = desk.sit(editor)
    until(there.exists)
    second = desk.sit("true")
    second.expect(r"is being edited by root since \d{4}-\d\d-\d\dT[\d:]+Z, process \d+; nothing was written")
    assert ended(second) == 75
    # Commands need not wait.
    assert run(*desk.options, "--lock-timeout", "0", "imap", "off", BOB).status == 0
    go.touch()
    first.expect("changed by another process meanwhile; both changes are merged")
    first.expect(QUESTION)
    first.sendline("y")
    assert ended(first) == 0
    accounts = Store.read(str(desk.store)).policy().accounts
    assert accounts[ALICE].own["pop"] is False
    assert accounts[BOB].own["imap"] is False
    assert [entry["event"] for entry in desk.entries()] == ["edit", "edit"]


def test_another_writer_between_the_question_and_the_answer(desk: Desk, run: Run) -> None:
    person = desk.sit(desk.replacing(WIDER))
    person.expect(QUESTION)
    assert run(*desk.options, "imap", "off", BOB).status == 0
    person.sendline("y")
    person.expect("both changes are merged")
    person.expect(QUESTION)  # what was not seen is not installed
    person.sendline("y")
    assert ended(person) == 0
    accounts = Store.read(str(desk.store)).policy().accounts
    assert (accounts[ALICE].own["pop_lan_only"], accounts[BOB].own["imap"]) == (False, False)


def test_two_changes_of_one_account_are_shown_and_refused(desk: Desk, run: Run) -> None:
    editor, there, go = waiting(desk)
    person = desk.sit(editor)
    until(there.exists)
    assert run(*desk.options, "pop", "anywhere", ALICE).status == 0
    after = desk.store.read_text()
    go.touch()
    person.expect("what another process changed meanwhile:")
    person.expect(r"\+pop_lan_only = false")
    person.expect("what you changed:")
    person.expect(r"\+pop = false")
    person.expect(f"the store was changed meanwhile, in the same place: {ALICE}; nothing was written")
    person.expect("the text is kept for the next edit")
    assert ended(person) == 5
    assert desk.store.read_text() == after
    # The next edit begins with the text, and what others have changed elsewhere is in it.
    for command in (
        "imap off bob@example.com",
        "account add carol@example.com",
        "template add new",
        "template assign new bob@example.com",
    ):
        assert run(*desk.options, *command.split()).status == 0
    again = desk.sit(desk.editor("assert 'carol' in text and '[templates.new]' in text"))
    again.expect(RESUME)
    again.sendline("y")
    again.expect(f"warning: changed meanwhile, and the text has your version: {ALICE}; the differences were:")
    again.expect(r"\+pop_lan_only = false")
    again.expect(f"{ALICE} pop_lan_only true \\(was false\\)")
    again.expect(QUESTION)
    again.sendline("y")
    assert ended(again) == 0
    policy = Store.read(str(desk.store)).policy()
    assert (policy.accounts[ALICE].own["pop"], policy.accounts[ALICE].own["pop_lan_only"]) == (False, True)
    assert policy.accounts[BOB].own["imap"] is False
    assert "carol@example.com" in policy.accounts
    assert "new" in policy.templates


def test_a_kept_text_with_errors_is_merged_once_it_has_none(desk: Desk, run: Run) -> None:
    person = desk.sit(desk.replacing(("\npop = true", "\npop = maybe"), ("maybe", "false")))
    person.expect("e to edit again, x to leave without writing ")
    person.close()
    for command in ("imap off bob@example.com", "template add new", "template assign new bob@example.com"):
        assert run(*desk.options, *command.split()).status == 0
    again = desk.sit(desk.replacing(("maybe", "false")))
    again.expect(RESUME)
    again.sendline("y")
    again.expect("both changes are merged")
    again.expect(QUESTION)
    again.sendline("y")
    assert ended(again) == 0
    policy = Store.read(str(desk.store)).policy()
    assert (policy.accounts[ALICE].own["pop"], policy.accounts[BOB].own["imap"]) == (False, False)
    assert "new" in policy.templates


def test_the_question_names_what_is_not_seen_in_access(desk: Desk) -> None:
    desk.store.write_text(MINIMAL + "\n[templates.old]\n")
    person = desk.sit(desk.replacing(("\n[templates.old]\n", "")))
    person.expect("nobody's access changes")
    person.expect("template old removed")
    person.expect(QUESTION)
    person.sendline("n")
    assert ended(person) == 5


@pytest.mark.parametrize("end", ["hangup", "kill", "eof", "interrupt", "terminate"])
def test_the_text_outlasts_the_terminal(desk: Desk, end: str) -> None:
    person = desk.sit(desk.replacing(WIDER))
    person.expect(QUESTION)
    match end:
        case "hangup":
            person.close()  # the terminal is gone, and SIGHUP comes
        case "kill":
            person.kill(signal.SIGKILL)
        case "eof":
            person.sendeof()
        case "interrupt":
            person.sendintr()
        case "terminate":
            person.kill(signal.SIGTERM)
    if end != "hangup":
        person.expect(pexpect.EOF)
        person.close()
    assert desk.store.read_text() == MINIMAL
    again = desk.sit(desk.editor("assert 'at home' in text"))
    again.expect(RESUME)
    again.sendline("y")
    again.expect(QUESTION)
    again.sendline("y")
    assert ended(again) == 0
    assert desk.store.read_text() == MINIMAL.replace(*WIDER)


def test_the_terminal_goes_away_while_the_editor_runs(desk: Desk) -> None:
    there = desk.folder / "there"
    person = desk.sit(
        desk.editor(f"""
        path.write_text(text.replace("pop = true", "pop = false"))
        pathlib.Path({str(there)!r}).write_text("")
        signal.pause()
        """)
    )
    until(there.exists)
    person.close()
    assert desk.store.read_text() == MINIMAL
    again = desk.sit(desk.editor("assert 'pop = false' in text"))
    again.expect(RESUME)
    again.sendline("y")
    again.expect(QUESTION)
    again.sendline("y")
    assert ended(again) == 0
    assert "pop = false" in desk.store.read_text()
