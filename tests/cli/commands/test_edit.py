"""edit at a real terminal, with a scripted editor: validated, compared, asked, installed."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.cli.commands.desk import ERRORS, QUESTION, RESUME, WARNINGS, WIDER, Desk, ended
from tests.helpers import MINIMAL, PROGRAM, Run, needs_root
from tests.machine import ALICE


def test_changed_compared_asked_installed(desk: Desk) -> None:
    before = desk.store.stat()
    person = desk.sit(desk.replacing(WIDER))
    person.expect(f"{ALICE}\\s+pop\\s+widened")
    person.expect("1 account gains access")
    person.expect(QUESTION)
    assert desk.store.read_text() == MINIMAL
    person.sendline("y")
    person.expect("store\\s+replaced\\s+changed")
    assert ended(person) == 0
    assert desk.store.read_text() == MINIMAL.replace(*WIDER)
    assert desk.store.stat().st_mode == before.st_mode
    assert desk.alone()
    (entry,) = desk.entries()
    assert entry["command"] == "mailpolicy edit"
    assert entry["changes"] == [{"path": ["accounts", ALICE, "pop_lan_only"], "old": True, "new": False}]


@pytest.mark.parametrize("answer", ["n", "", "N"])
def test_no_is_no_and_the_text_is_kept_for_the_next_time(desk: Desk, answer: str) -> None:
    person = desk.sit(desk.replacing(WIDER))
    person.expect(QUESTION)
    person.sendline(answer)
    person.expect("the text is kept for the next edit")
    assert ended(person) == 5
    assert desk.store.read_text() == MINIMAL
    assert not desk.entries()
    again = desk.sit(desk.editor("assert 'at home' in text"))
    again.expect(RESUME)
    again.sendline("")
    again.expect(QUESTION)
    again.sendline("y")
    assert ended(again) == 0
    assert desk.store.read_text() == MINIMAL.replace(*WIDER)
    assert desk.alone()


def test_a_kept_text_can_be_thrown_away(desk: Desk) -> None:
    person = desk.sit(desk.replacing(WIDER))
    person.expect(QUESTION)
    person.sendline("n")
    assert ended(person) == 5
    again = desk.sit(desk.editor("assert 'at home' not in text"))
    again.expect(RESUME)
    again.sendline("n")
    again.expect("store\\s+not changed\\s+ok")
    assert ended(again) == 0
    assert desk.alone()


def test_back_to_the_editor_before_installing(desk: Desk) -> None:
    person = desk.sit(desk.replacing(WIDER, ("  # at home", "")))
    person.expect(QUESTION)
    person.sendline("e")
    person.expect(QUESTION)
    person.sendline("what?")
    person.expect(QUESTION)
    person.sendline("y")
    assert ended(person) == 0
    assert desk.store.read_text() == MINIMAL.replace("pop_lan_only = true", "pop_lan_only = false")


def test_errors_are_never_written(desk: Desk) -> None:
    person = desk.sit(desk.replacing(("\npop = true", "\npopp = true"), ("\npopp = true", "\npop = false")))
    person.expect(r"accounts.toml:17:1: error\[MP005\]: unknown key 'popp', did you mean pop\?")
    person.expect(ERRORS)
    for wrong in ("w", "y", ""):
        person.sendline(wrong)
        if not wrong:
            break
        person.expect(ERRORS)
    person.expect(QUESTION)
    person.sendline("y")
    assert ended(person) == 0
    assert "pop = false" in desk.store.read_text()


def test_x_leaves_without_a_trace(desk: Desk) -> None:
    person = desk.sit(desk.replacing(("\npop = true", "\npop = maybe")))
    person.expect(ERRORS)
    person.sendline("x")
    person.expect("left without writing; the store is as it was")
    assert ended(person) == 5
    assert desk.store.read_text() == MINIMAL
    assert desk.alone()


@pytest.mark.parametrize(("answer", "status"), [("w", 0), ("x", 5)])
def test_warnings_can_be_written(desk: Desk, answer: str, status: int) -> None:
    person = desk.sit(desk.replacing(('"fd00::/8"', '"fd00::/8", "8.8.8.8"')))
    person.expect(r"warning\[MP\d+\].*8.8.8.8")
    person.expect(WARNINGS)
    person.sendline(answer)
    if answer == "w":
        person.expect(QUESTION)
        person.sendline("y")
    assert ended(person) == status
    assert ("8.8.8.8" in desk.store.read_text()) is (status == 0)


def test_a_finding_about_permissions_is_not_about_the_text(desk: Desk) -> None:
    needs_root()
    desk.host.write_text('trusted_group = "mail"\n')
    shutil.chown(desk.store, group="mail")
    desk.store.chmod(0o664)
    person = desk.sit(desk.replacing(WIDER))
    assert person.expect([QUESTION, WARNINGS]) == 0
    person.sendline("y")
    assert ended(person) == 0


def test_it_is_the_way_out_of_a_store_with_errors(desk: Desk) -> None:
    desk.store.write_bytes(b"\xff" + MINIMAL.replace("\npop = true", "\npop = maybe").encode())
    broken = desk.folder / "mended.py"
    broken.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[-1], 'w').write({MINIMAL!r})\n")
    broken.chmod(0o755)
    person = desk.sit(str(broken))
    person.expect("the store had errors, so its access cannot be compared; the texts differ:")
    person.expect(r"-pop = maybe\s+\+pop = true")
    person.expect(QUESTION)
    person.sendline("y")
    assert ended(person) == 0
    assert "access" not in person.before
    assert desk.store.read_text() == MINIMAL


@pytest.mark.parametrize(
    "left", ["path.symlink_to('/etc/passwd')", "path.mkdir(); (path / 'in').write_text('')", "os.mkfifo(path)"]
)
def test_what_an_editor_leaves_that_is_no_file_is_refused_with_a_way_out(desk: Desk, left: str) -> None:
    text = desk.private / "accounts.toml"
    leaving = desk.editor(f"path.unlink(); {left}", "leaving")
    for editor in (leaving, desk.replacing(WIDER)):
        person = desk.sit(editor, COLUMNS="500")
        person.expect_exact(f"{text}: an editor has left this in the place of the text: check it, then remove it")
        person.expect_exact(f"try: rm -r {text}")
        assert ended(person) == 5
    subprocess.run(["rm", "-r", text], check=True)
    person = desk.sit(desk.replacing(WIDER))
    person.expect(QUESTION)
    person.sendline("y")
    assert ended(person) == 0


def test_without_a_terminal_it_is_a_usage_error(run: Run, desk: Desk) -> None:
    refused = run(*desk.options, "edit")
    assert refused.status == 2
    assert "edit needs a terminal" in refused.err
    assert "mailpolicy install FILE" in refused.err
    piped = subprocess.run(
        [*PROGRAM, *desk.options, "edit"], input="", capture_output=True, text=True, check=False, env=desk.environment
    )
    assert piped.returncode == 2


def test_without_a_store(desk: Desk) -> None:
    desk.store.unlink()
    person = desk.sit("true")
    person.expect("mailpolicy init")
    assert ended(person) == 3


def test_it_is_held_against_the_cases(desk: Desk) -> None:
    cases = desk.folder / "cases.toml"
    cases.write_text(f'[[case]]\naddress = "{ALICE}"\nprotocol = "pop"\nip = "203.0.113.9"\nexpect = "deny"\n')
    desk.host.write_text(f'journal = true\ncases = "{cases}"\n')
    person = desk.sit(desk.replacing(WIDER))
    person.expect("cases.toml:1: not changed, as this case would no longer hold")
    person.expect("e to edit again, x to leave without writing ")
    person.sendline("x")
    assert ended(person) == 5
    assert desk.store.read_text() == MINIMAL
    past = desk.sit(
        desk.editor("path.write_text(text.replace('pop_lan_only = true', ''))"), "--no-cases", "--no-journal"
    )
    past.expect(QUESTION)
    past.sendline("y")
    assert ended(past) == 0
    assert not desk.entries()


def test_unusable_cases_are_named_before_anybody_types(desk: Desk) -> None:
    desk.host.write_text(f'cases = "{desk.folder}/missing.toml"\n')
    marks = desk.folder / "ran"
    person = desk.sit(desk.editor(f"pathlib.Path({str(marks)!r}).write_text('')"))
    person.expect("the cases that guard the store cannot be used")
    assert ended(person) == 5
    assert not marks.exists()
