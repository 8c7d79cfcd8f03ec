"""The commands that make tokens: what they are given, what of their output is a token, and that nothing of it is repeated."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import pytest

from mailpolicy.errors import KeyringError, MailpolicyError, Refused
from mailpolicy.policy.source import Auth, Source, Tls
from mailpolicy.secrets import tokens
from mailpolicy.store.host import TokenCommand
from tests.helpers import needs_root

SENTINEL = "s3ntinel-Of-The-Provider"
SOURCE = Source("pop.work.example", 995, "alice@work.example", auth=Auth.XOAUTH2, token="work")
PATH = {"PATH": os.environ["PATH"]}


def program(folder: Path, body: str) -> str:
    """A program that makes tokens; `body` is a script of sh."""
    path = folder / "oauth-token"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def make(command: tuple[str, ...], source: Source = SOURCE, **settings: object) -> str:
    token = TokenCommand("work", command, settings.pop("hosts", None))  # type: ignore[arg-type]
    return tokens.make(token, source, PATH, "the source work of alice", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("printed", ["ya29.A0-_~+/=", "ya29.A0-_~+/=\\n", "ya29.A0-_~+/=\\r\\n"])
def test_one_line_is_the_token(tmp_path: Path, printed: str) -> None:
    assert make((program(tmp_path, f"printf '{printed}'"), "{login}")) == "ya29.A0-_~+/="


def test_a_token_may_be_long(tmp_path: Path) -> None:
    long = program(tmp_path, f"{sys.executable} -c 'print(\"x\" * 60000)'")
    assert make((long,)) == "x" * 60000


def test_the_login_is_one_argument_and_no_shell_reads_it(tmp_path: Path) -> None:
    login = "a b$(id);'\"`*"
    script = program(
        tmp_path, 'test "$1" = "for=$EXPECTED" || printf "%s" "$#$1" | tr -d "\\n" | od -An -tx1 | tr -d " \\n"'
    )
    shown = make((script, "for={login}"), SOURCE._replace(login=login))
    assert bytes.fromhex(shown) == f"1for={login}".encode()


def test_it_gets_this_environment_and_an_empty_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILPOLICY_FILE", SENTINEL)
    script = program(tmp_path, "echo $(cat | wc -c)/$(env | grep -v ^_= | cut -d= -f1 | sort | tr '\\n' ,)$(pwd)")
    token = TokenCommand("work", (script,))
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    shown = tokens.make(token, SOURCE, environment, "the source")
    assert shown in ("0/HOME,PATH,PWD,/", "0/HOME,PATH,PWD,SHLVL,/")  # sh itself adds the last


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("true", "printed nothing"),
        ("echo", "printed nothing"),
        (f"echo {SENTINEL}; echo {SENTINEL}", "more than one line"),
        (f"echo {SENTINEL}; echo", "more than one line"),
        (f"echo {SENTINEL} {SENTINEL}", "printed a line that is no token"),
        (f"printf '{SENTINEL}\\001'", "printed a line that is no token"),
        (f"printf '{SENTINEL}\\377'", "printed a line that is no token"),
        (f"echo {SENTINEL}; echo {SENTINEL} >&2; exit 3", "failed (exit 3)"),
        (f"echo {SENTINEL} >&2; kill -9 $$", "failed (signal 9)"),
        (f"exec yes {SENTINEL}", "printed more than 8 MiB"),
    ],
)
def test_anything_else_is_none(tmp_path: Path, body: str, reason: str) -> None:
    path = program(tmp_path, body)
    with pytest.raises(KeyringError) as raised:
        make((path,))
    assert reason in raised.value.message
    assert raised.value.exit_status == 6
    assert raised.value.message.startswith(f"{path} made no token for the source work of alice: it ")
    assert SENTINEL not in repr(raised.value.__dict__) + str(raised.value)


def test_what_it_says_beside_its_token_does_no_harm(tmp_path: Path) -> None:
    assert make((program(tmp_path, "echo renewed >&2; echo token"),)) == "token"


def test_one_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    assert tokens.TIMEOUT == 15
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    # Both the program and its child hold the pipe open; it ends when both have.
    path = program(tmp_path, f"exec 3>{fifo}\nsleep 600 &\necho {SENTINEL}\nwait")
    with pytest.raises(KeyringError, match=r"did not end within 0\.5 s") as raised:
        make((path,), timeout=0.5)
    assert SENTINEL not in str(raised.value)
    ended, _, _ = select.select([reader], [], [], 20)
    assert ended, "one of them is left"
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_one_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="cannot start: no such file or directory"):
        make((str(tmp_path / "none"),))


def test_a_login_is_no_option(tmp_path: Path) -> None:
    path, source = program(tmp_path, "echo token"), SOURCE._replace(login="--config=/tmp/x")
    with pytest.raises(Refused, match="begins with `-`"):
        make((path, "{login}"), source)
    with pytest.raises(Refused, match="begins with `-`"):
        make((path, "--user={login}"), source)
    assert make((path,), source) == "token"  # it is not given the login


def test_a_token_is_sent_to_no_other_server(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    path, hosts = program(tmp_path, f"touch {ran}; echo token"), frozenset(["pop.work.example"])
    for source in (SOURCE._replace(host="pop.evil.example"), SOURCE._replace(tls=Tls.NONE)):
        with pytest.raises(Refused) as raised:
            make((path,), source, hosts=hosts)
        assert raised.value.exit_status == 5
        assert not ran.exists()
    assert make((path,), hosts=hosts) == "token"
    assert make((path,), SOURCE._replace(tls=Tls.STARTTLS, port=110), hosts=hosts) == "token"


def test_root_runs_only_what_nobody_else_can_change(tmp_path: Path) -> None:
    needs_root()
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o755)
    ran = tmp_path / "ran"
    path = program(folder, f"touch {ran}; echo token")
    for spoil, heal in (
        (lambda: os.chmod(path, 0o775), lambda: os.chmod(path, 0o755)),
        (lambda: os.chown(path, 65534, -1), lambda: os.chown(path, 0, -1)),
        (lambda: folder.chmod(0o777), lambda: folder.chmod(0o755)),
    ):
        spoil()
        with pytest.raises(MailpolicyError) as raised:
            make((path,))
        assert (raised.value.exit_status, raised.value.code) == (5, "unsafe")
        assert raised.value.fix is not None
        assert not ran.exists()
        heal()
    assert make((path,)) == "token"
