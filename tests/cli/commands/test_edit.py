"""edit at a real terminal, with a scripted editor: what becomes of the store and of the text, whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, NOBODY, PROGRAM, Run, needs_root
from tests.machine import ALICE, BOB

QUESTION = r"Install .*accounts.toml\? \[y/N/e\] "
ERRORS = "1 error: e to edit again, x to leave without writing "
WARNINGS = "1 warning: e to edit again, w to write anyway, x to leave without writing "
RESUME = r"The text of an earlier edit was kept. Continue with it\? \[Y/n\]: "


class Desk:
    """A store, a folder for editors, and a person at a terminal."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder, self.store = folder, store
        self.host = folder / "host.toml"
        self.host.write_text("journal = true\n")
        self.options = ["--file", str(store), "--host-config", str(self.host)]
        self.private = store.with_name(f"accounts.toml.edit-{os.geteuid()}")
        self.environment = {
            name: value for name, value in os.environ.items() if name not in ("VISUAL", "EDITOR", "MAILPOLICY_EDITOR")
        } | {"TERM": "dumb"}

    def editor(self, script: str, name: str = "editor") -> str:
        """An editor: a Python script that gets `path`, and `text`, what is in it."""
        path = self.folder / name
        head = "#!{}\nimport os, signal, subprocess, sys, pathlib\npath = pathlib.Path(sys.argv[-1])\ntext = path.read_text()\n"
        path.write_text(head.format(sys.executable) + textwrap.dedent(script))
        path.chmod(0o755)
        return str(path)

    def replacing(self, *pairs: tuple[str, str]) -> str:
        """An editor that makes one replacement each time that it is run, and the last one from then on."""
        count = self.folder / "count"
        return self.editor(f"""
            count = pathlib.Path({str(count)!r})
            number = int(count.read_text()) if count.exists() else 0
            count.write_text(str(number + 1))
            pairs = {pairs!r}
            path.write_text(text.replace(*pairs[min(number, len(pairs) - 1)]))
            """)

    def sit(self, editor: str, *more: str, **environment: str) -> pexpect.spawn:
        return pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], *self.options, "edit", *more],
            cwd=str(self.folder),
            env={**self.environment, "EDITOR": editor, **environment},
            encoding="utf-8",
            timeout=30,
        )

    def entries(self) -> list[dict[str, object]]:
        log = self.store.with_name("accounts.toml.log")
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def alone(self) -> bool:
        """Whether no text is kept."""
        return not self.private.exists()


@pytest.fixture
def desk(tmp_path: Path, store: Path) -> Desk:
    return Desk(tmp_path, store)


def ended(person: pexpect.spawn) -> int:
    person.expect(pexpect.EOF)
    person.close()
    assert person.exitstatus is not None, person.signalstatus
    return int(person.exitstatus)


WIDER = ("pop_lan_only = true", "pop_lan_only = false  # at home")


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


def test_it_is_the_way_out_of_a_store_with_errors(desk: Desk) -> None:
    desk.store.write_bytes(b"\xff" + MINIMAL.replace("\npop = true", "\npop = maybe").encode())
    broken = desk.folder / "mended.py"
    broken.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[-1], 'w').write({MINIMAL!r})\n")
    broken.chmod(0o755)
    person = desk.sit(str(broken))
    person.expect("the store had errors, so its access cannot be compared")
    person.expect(QUESTION)
    person.sendline("y")
    assert ended(person) == 0
    assert desk.store.read_text() == MINIMAL


# what an editor does; the exit status, part of what is said, whether the text is kept
EDITORS: dict[str, tuple[str, int, str, bool]] = {
    "leaves the file as it was": ("", 0, "store\\s+not changed\\s+ok", False),
    "fails": ("sys.exit(3)", 5, "the editor .* ended with status 3; nothing was written", False),
    "fails after saving": (
        "path.write_text(text.replace('pop = true', 'pop = false')); sys.exit(1)",
        5,
        "ended with status 1; nothing was written",
        True,
    ),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", 5, "was ended by SIGKILL; nothing was written", False),
    "is killed after saving": (
        "path.write_text(text.replace('pop = true', 'pop = false')); os.kill(os.getpid(), signal.SIGKILL)",
        5,
        "was ended by SIGKILL; nothing was written",
        True,
    ),
    "removes the file": ("path.unlink()", 5, "the editor has left no file; nothing was written", False),
    "leaves a link": ("path.unlink(); path.symlink_to('/etc/passwd')", 7, "too many symbolic links", True),
}


@pytest.mark.parametrize("name", EDITORS)
def test_an_editor_that(desk: Desk, name: str) -> None:
    script, status, said, kept = EDITORS[name]
    facts = desk.store.stat()
    person = desk.sit(desk.editor(script))
    person.expect(said)
    if kept:
        person.expect("the text is kept for the next edit")
    assert ended(person) == status
    assert desk.store.read_text() == MINIMAL
    assert desk.store.stat().st_mtime_ns == facts.st_mtime_ns
    assert desk.alone() is not kept
    assert not desk.entries()


def test_an_editor_that_replaces_the_file_by_rename(desk: Desk) -> None:
    person = desk.sit(
        desk.editor("""
        new = path.with_suffix(".new")
        new.write_text(text.replace("pop = true", "pop = false"))
        path.with_suffix(".swp").write_text("left behind")
        new.rename(path)
        """)
    )
    person.expect(QUESTION)
    person.sendline("y")
    assert ended(person) == 0
    assert "pop = false" in desk.store.read_text()
    assert desk.alone()


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({"EDITOR": "no-such-editor --wait"}, 5, "there is no editor 'no-such-editor', which EDITOR names"),
        ({"VISUAL": 'vi "', "EDITOR": "true"}, 2, "VISUAL is no command line: no closing quotation"),
        ({"MAILPOLICY_EDITOR": "nothing", "VISUAL": "true"}, 5, "which MAILPOLICY_EDITOR names"),
        ({"EDITOR": "", "PATH": ""}, 5, "there is no editor: install one, or name it in VISUAL"),
    ],
)
def test_an_editor_that_is_missing(desk: Desk, environment: dict[str, str], status: int, said: str) -> None:
    person = desk.sit("unused", **environment)
    person.expect(said)
    assert ended(person) == status
    assert desk.alone()


def test_the_editors_words_are_split_and_no_shell_reads_them(desk: Desk) -> None:
    marks = desk.folder / "with blanks"
    desk.folder.joinpath("a dir").mkdir()
    editor = desk.editor(f"pathlib.Path({str(marks)!r}).write_text(repr(sys.argv[1:-1]))", "a dir/ed")
    person = desk.sit(f"'{editor}' --wait '$HOME;' `id`")
    assert ended(person) == 0
    assert marks.read_text() == repr(["--wait", "$HOME;", "`id`"])


def test_under_sudo_the_callers_own_variable_is_not_obeyed(desk: Desk) -> None:
    needs_root()
    person = desk.sit(desk.editor(""), MAILPOLICY_EDITOR="/bin/false", SUDO_UID="1", SUDO_USER="alice")
    person.expect("not changed")
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


def waiting(desk: Desk) -> tuple[str, Path, Path]:
    """An editor that says when it has the text, and goes on when it is told to."""
    there, go = desk.folder / "there", desk.folder / "go"
    editor = desk.editor(f"""
        import time
        pathlib.Path({str(there)!r}).write_text("")
        while not os.path.exists({str(go)!r}):
            time.sleep(0.02)
        path.write_text(text.replace("pop = true", "pop = false"))
        """)
    return editor, there, go


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not come to that")


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
    person.expect("the store was changed meanwhile, in the same place; nothing was written")
    person.expect("the text is kept for the next edit")
    assert ended(person) == 5
    assert desk.store.read_text() == after
    # The next edit begins with the text, and shows what is missing in it.
    again = desk.sit(desk.editor("path.write_text(text.replace('pop_lan_only = true', 'pop_lan_only = false'))"))
    again.expect(RESUME)
    again.sendline("y")
    again.expect("take over by hand what is missing:")
    again.expect(QUESTION)
    again.sendline("y")
    assert ended(again) == 0
    own = Store.read(str(desk.store)).policy().accounts[ALICE].own
    assert (own["pop"], own["pop_lan_only"]) == (False, False)


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


def test_ctrl_c_in_the_editor_is_the_editors(desk: Desk) -> None:
    there = desk.folder / "there"
    person = desk.sit(
        desk.editor(f"""
        import time
        signal.signal(signal.SIGINT, lambda *_: path.write_text(text.replace("pop = true", "pop = false")))
        pathlib.Path({str(there)!r}).write_text("")
        signal.pause()
        """)
    )
    until(there.exists)
    person.sendintr()
    person.expect(QUESTION)
    person.sendline("y")
    assert ended(person) == 0


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


def test_the_private_copy_is_private_and_what_others_planted_is_refused(desk: Desk) -> None:
    seen = desk.folder / "seen"
    person = desk.sit(
        desk.editor(
            f"pathlib.Path({str(seen)!r}).write_text(f'{{path.stat().st_mode:o}} {{path.parent.stat().st_mode:o}}')"
        )
    )
    assert ended(person) == 0
    assert seen.read_text() == "100600 40700"
    for plant in ("link", "file", "open", *(["stranger's"] if os.geteuid() == 0 else [])):
        match plant:
            case "link":
                desk.private.symlink_to("/tmp")
            case "file":
                desk.private.write_text("")
            case "open":
                desk.private.mkdir()
                desk.private.chmod(0o755)
            case _:
                desk.private.mkdir(0o700)
                os.chown(desk.private, NOBODY, NOBODY)
        person = desk.sit("true")
        person.expect("this is in the way and was not made by mailpolicy for this user")
        assert ended(person) == 5
        if desk.private.is_dir() and not desk.private.is_symlink():
            shutil.rmtree(desk.private)
        else:
            desk.private.unlink()
