"""Completion in real shells, through a pseudo-terminal: each line is typed, completed and run."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import pexpect
import pytest

from tests.helpers import ROOT, missing

STORE = """version = 1
[server]
edition = "pro"
lan = ["10.0.0.0/8"]
[templates.contractor]
imap = true
[templates.staff]
pop = true
[accounts."carla@acme.example"]
pop = true
[accounts."carl@beta.example"]
[accounts."o'brien@acme.example"]
pop = true
[accounts."r&d=x~y@acme.example"]
pop = true
"""
# What is typed up to the TAB; the line that must be run for it.
ROWS = [
    ("check carla", "check carla@acme.example"),
    ("check carla@", "check carla@acme.example"),
    ("check carla@acme.e", "check carla@acme.example"),
    ('check "carla@ac', "check carla@acme.example"),
    ("check o", "check o'brien@acme.example"),
    ("check r", "check r&d=x~y@acme.example"),
    ("check r\\&d=x", "check r&d=x~y@acme.example"),
    ("check carla@acme.example outl", "check carla@acme.example outlook-connector"),
    ("acc", "account"),
    ("account sh", "account show"),
    ("pop on --with-template con", "pop on --with-template contractor"),
    ("pop on --with-template=con", "pop on --with-template=contractor"),
    ("pop on --in-t", "pop on --in-template"),
    ("explain MP05", "explain MP05"),
    ("export dovecot-c", "export dovecot-conf"),
    ("account add new@bet", "account add new@beta.example"),
    ("validate sto", "validate store.toml"),
    ("--file=sto", "--file=store.toml"),
    ("--file sto", "--file store.toml"),
    ("validate --form", "validate --format"),
    ("validate --format sar", "validate --format sarif"),
    ("--fi", "--file"),
]
PROMPT = "%%"


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder with a store and a program that shows its arguments, asked for candidates by the real one."""
    (tmp_path / "store.toml").write_text(STORE)
    program = tmp_path / "bin" / "mailpolicy"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = completion ]; then exec {sys.executable} -m mailpolicy "$@"; fi\n'
        'printf "<%s>" "$@"; echo "[end]"\n'
    )
    program.chmod(0o755)
    return tmp_path


def shell(name: str, folder: Path) -> pexpect.spawn:
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb", "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "src"), "MAILPOLICY_FILE": str(folder / "store.toml"), "PS1": PROMPT,
    }  # fmt: skip
    starts = {
        "bash": ["--norc", "--noprofile", "-i"],
        "zsh": ["-f", "-i"],
        "fish": ["--no-config", "-i"],
    }
    if (program := shutil.which(name)) is None:
        missing(f"{name} is not installed")
    child = pexpect.spawn(
        program, starts[name], env=environment, cwd=str(folder), encoding="utf-8", timeout=20, dimensions=(24, 200)
    )
    setup = {
        "bash": f"PS1={PROMPT}; source <(mailpolicy completion bash); bind 'set enable-bracketed-paste off'",
        "zsh": f"PS1={PROMPT}{PROMPT}; autoload -U compinit; compinit -u -D; source <(mailpolicy completion zsh)",
        "fish": f"function fish_prompt; echo -n {PROMPT}; end; mailpolicy completion fish | source",
    }
    child.sendline(setup[name] + "; echo rea''dy")
    child.expect("ready")
    return child


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_tab_completes_the_word(name: str, bench: Path) -> None:
    child = shell(name, bench)
    try:
        for typed, wanted in ROWS:
            child.send(f"mailpolicy {typed}\t")
            child.expect_exact(typed[-1])
            child.send("\r")
            child.expect(r"((?:<[^\r\n]*>)*)\[end\]")
            words = child.match[1].strip("<>").split("><")
            assert words == shlex.split(wanted.replace("'", "\\'").replace("&", "\\&")), (name, typed)
    finally:
        child.close(force=True)
