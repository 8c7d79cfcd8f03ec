"""edit with editors that fail, are missing, or have a way of their own."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.cli.commands.desk import QUESTION, Desk, ended, until
from tests.helpers import MINIMAL, NOBODY, needs_root

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


def test_the_editor_works_in_the_folder_that_was_made(desk: Desk) -> None:
    """Who may write the folder of the store can put another in its place while the editor runs."""
    victim = desk.folder / "victim"
    victim.write_text("precious")
    person = desk.sit(
        desk.editor(f"""
        os.rename({str(desk.private)!r}, {str(desk.private)!r} + "-aside")
        os.mkdir({str(desk.private)!r}, 0o700)
        os.symlink({str(victim)!r}, {str(desk.private / desk.store.name)!r})
        path.write_text(text.replace("pop = true", "pop = false"))
        """)
    )
    person.expect("an editor has left this in the place of the text|the editor has left no file")
    assert ended(person) == 5
    assert victim.read_text() == "precious"
