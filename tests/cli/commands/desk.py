"""A store, a folder for scripted editors, and a person at a terminal who runs edit."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.helpers import PROGRAM

QUESTION = r"Install .*accounts.toml\? \[y/N/e\] "
ERRORS = "1 error: e to edit again, x to leave without writing "
WARNINGS = "1 warning: e to edit again, w to write anyway, x to leave without writing "
RESUME = r"The text of an earlier edit was kept. Continue with it\? \[Y/n\]: "


WIDER = ("pop_lan_only = true", "pop_lan_only = false  # at home")


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

    def sit(self, editor: str, *more: str, command: str = "edit", **environment: str) -> pexpect.spawn:
        return pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], *self.options, command, *more],
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


def ended(person: pexpect.spawn) -> int:
    person.expect(pexpect.EOF)
    person.close()
    assert person.exitstatus is not None, person.signalstatus
    return int(person.exitstatus)


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
