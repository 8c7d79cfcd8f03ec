"""Check what `replay` prints and how it ends, whatever the log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from mailpolicy.review import replay
from mailpolicy.review.replay import Replay
from tests.helpers import MINIMAL, Run
from tests.review.logs import POLICY, PREFIXED, SYSLOG, WORDS


def test_too_many_unknown_names_are_counted_together(run: Run, store: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "".join(f"u{number}@example.com imap 10.0.0.1\n" for number in range(replay.MAX_UNKNOWN_NAMES + 5)) * 2
    )
    result = run("--file", str(store), "replay", str(log))
    assert len(result.out.splitlines()) == replay.MAX_UNKNOWN_NAMES
    assert "10 logins by further unknown names not listed; the limit is 1000 names" in result.err
    assert "2010 of 2010 logins would be refused, for more than 1000 accounts" in result.err


def test_only_some_broken_lines_are_told(run: Run, store: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice@example.com imap 10.0.0.1\n" + "nonsense\n" * 25)
    result = run("--file", str(store), "replay", str(log))
    assert result.status == 0
    assert result.err.count("not a login record: write") == replay.MAX_BROKEN_SHOWN
    assert f"{log}: 15 more lines not understood\n" in result.err
    assert run("--file", str(store), "replay", str(log), "--strict").status == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x7fELF\x02\x01\x01\0\0\0", "this is a binary file, not a log"),
        (b"a@x.example imap 10.0.0.1\n\0\0\n\0\1\n", "this is a binary file, not a log"),
        (b"\x1f\x8b\x08\x00", "zcat < log | mailpolicy replay -"),
        (b"\xfd7zXZ\x00", "xzcat < log | mailpolicy replay -"),
    ],
)
def test_no_log_at_all(program: Run, store: Path, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "log").write_bytes(content)
    result = program("--file", str(store), "replay", "log")
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    piped = program("--file", str(store), "replay", "-", stdin=content)
    assert (piped.status, said.replace("< log", "< FILE") in piped.err) == (2, True)


def test_a_block_of_zeros_is_a_broken_line_wherever_it_stands(program: Run, store: Path) -> None:
    line = b"alice@example.com pop 203.0.113.9\n"
    for before, after in ((2, 2), (3000, 1)):
        log = line * before + bytes(4096) + b"\n" + line * after
        result = program("--file", str(store), "replay", "-", stdin=log)
        assert result.status == 0
        assert f"-:{before + 1}: not a login record: write" in result.err
        assert f"{before + after} of {before + after} logins would be refused" in result.err


def test_a_line_that_syslog_repeats_counts_as_often(run: Run, store: Path, tmp_path: Path) -> None:
    login = "imap-login: Login: user=<alice@example.com>, rip=203.0.113.9"
    name = "imap-login: Login: user=<unknown>, rip=203.0.113.9"
    head = f"{SYSLOG} mail dovecot: "
    repeated = "".join(f"{head}{text}\n{head}message repeated 3 times: [ {text}]\n" for text in (login, name))
    (tmp_path / "log").write_text(repeated.replace("imap-login: Login: user=<alice", "pop3-login: Login: user=<alice"))
    result = run("--file", str(store), "replay", "log")
    assert "8 of 8 logins would be refused, for 2 accounts" in result.err


def test_fail_on_wants_a_login_that_is_understood(run: Run, store: Path, tmp_path: Path) -> None:
    for content in ("", f"{SYSLOG} mail postfix/smtpd[7]: connect\n", f"strange {WORDS}\n", "broken\n"):
        (tmp_path / "log").write_text(content)
        result = run("--file", str(store), "replay", "log", "--fail-on", "refused")
        assert result.status == 2
        assert "log: no logins found, nothing was compared" in result.err
        assert run("--file", str(store), "replay", "log").status == 0
    told = json.loads(run("--file", str(store), "replay", "log", "--fail-on", "refused", "--json").out.splitlines()[-1])
    assert (told["exit"], told["code"]) == (2, "no-login")


def test_a_login_that_is_not_understood_is_counted_and_shown(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"{PREFIXED[0]}\nstrange words {WORDS}\n{SYSLOG} mx sshd[1]: Invalid user {WORDS}\n")
    result = run("--file", str(store), "replay", "log")
    assert "log:2: cannot parse this login of Dovecot: 'strange words imap-login" in result.err
    assert "0 of 1 login would be refused; 1 line not understood" in result.err
    assert run("--file", str(store), "replay", "log", "--strict").status == 2


# Where each login of the two accounts comes from, and what is said of it.
GATEWAY = ["172.17.0.1"] * 19
ONE_ADDRESS = [
    ([*GATEWAY, "203.0.113.9"], "10.0.0.0/8", False),
    ([*GATEWAY, "203.0.113.9"], "172.16.0.0/12", True),
    ([*GATEWAY, "::ffff:172.17.0.1"], "172.16.0.0/12", True),
    ([*GATEWAY, "203.0.113.9", "203.0.113.8", "203.0.113.7"], "172.16.0.0/12", False),
    (GATEWAY[:9], "172.16.0.0/12", False),
    ([f"172.17.0.{number}" for number in range(20)], "172.16.0.0/12", False),
    (["::1"] * 20, "::1/128", True),
]


@pytest.mark.parametrize(("ips", "lan", "said"), ONE_ADDRESS)
@pytest.mark.parametrize("form", ["{0}\timap\t{1}", "imap-login: Login: user=<{0}>, method=PLAIN, rip={1}, TLS"])
def test_one_address_for_everybody(
    run: Run, store: Path, tmp_path: Path, ips: list[str], lan: str, said: bool, form: str
) -> None:
    store.write_text(MINIMAL.replace("10.0.0.0/8", lan))
    names = ["alice@example.com", "bob@example.com"] * len(ips)
    log = "".join(f"{form.format(name, ip)}\n" for name, ip in zip(names, ips, strict=False))
    (tmp_path / "log").write_text(log)
    result = run("--file", str(store), "replay", "log")
    assert ('"One address for everybody"' in result.err) is said
    told = json.loads(run("--file", str(store), "replay", "log", "--json").out)["one_address"]
    assert (told is not None) is said
    assert not said or told["share"] >= 0.9
    checks = json.loads(run("--file", str(store), "doctor", "--log", "log", "--json").out)["checks"]
    [clients] = [check for check in checks if check["check"] == "clients"]
    assert (clients["state"], "One address" in clients["message"]) == (("warning", True) if said else ("ok", False))
    (tmp_path / "log").write_text(log.replace("bob@", "alice@"))
    assert "One address" not in run("--file", str(store), "replay", "log").err, "one account's desk"


def test_one_address_in_a_long_log() -> None:
    """Of a long log a sample is looked at, which is enough, and what came first is not forgotten."""
    fed = Replay(POLICY)
    names = ("alice@example.com", "bob@example.com")
    for part in range(20):
        fed.feed(f"{names[number % 2]} imap 10.0.{part}.1" for number in range(2000))
    assert fed.dominant_address() is None
    fed = Replay(POLICY)
    for _ in range(20):
        fed.feed(
            f"{names[number % 2]} imap {'10.0.0.1' if number % 20 else f'10.9.{number % 250}.1'}"
            for number in range(2000)
        )
    source = fed.dominant_address()
    assert source is not None
    assert source.ip == "10.0.0.1"
    assert 0.93 < source.share < 0.97


def test_doctor_says_what_it_could_not_look_at(
    run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mailpolicy.cli import clients

    def check() -> dict[str, str]:
        checks = json.loads(run("--file", str(store), "doctor", "--json").out)["checks"]
        return next((check for check in checks if check["check"] == "clients"), {})

    monkeypatch.setattr(clients, "LOGS", (str(tmp_path / "none"), str(tmp_path / "empty"), str(tmp_path / "long")))
    assert (check()["state"], check()["step"]) == ("skipped", "journalctl -u dovecot --since -7d | mailpolicy replay -")
    (tmp_path / "empty").touch()
    assert "no login in" in check()["message"]
    monkeypatch.setattr(clients, "_TAIL_SIZE", 10_000)
    old = "alice@example.com pop 203.0.113.9\n" * 9_000
    new = "alice@example.com pop 10.0.0.1\nbob@example.com imap 10.0.0.1\n" * 200
    (tmp_path / "long").write_text(old + new)
    assert check()["state"] == "warning", "the end of the log is looked at"
    store.write_text(MINIMAL.replace("pop_lan_only = true", ""))
    assert check() == {}, "nobody is restricted to the LAN"


def test_odd_bytes_and_endings(program: Run, store: Path) -> None:
    log = b"\xef\xbb\xbfalice@example.com\tpop\t203.0.113.9\r\n\xff\xfe broken\r\nbob@example.com\timap\t203.0.113.9"
    result = program("--file", str(store), "replay", "-", stdin=log)
    assert result.out == "alice@example.com\tpop\toutside-lan\t1\t1\t203.0.113.9\t-\n"
    assert "1 of 2 logins would be refused" in result.err
    long = b"x" * 1_000_000 + b"\nalice@example.com pop 203.0.113.9\n"
    assert "1 of 1 login would be" in program("--file", str(store), "replay", "-", stdin=long).err


def test_names_from_a_log_cannot_steer_a_terminal(program: Run, store: Path) -> None:
    log = "imap-login: Login: user=<\x1b[2J\u202e>, rip=::1\n"
    result = program("--file", str(store), "replay", "-", stdin=log)
    assert result.out.startswith("\\x1b[2J\\u202e\timap\tunknown-account\t")


def test_a_draft_is_asked_not_the_store(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "draft.toml").write_text(MINIMAL.replace("imap = true", "imap = true\nimap_lan_only = true"))
    (tmp_path / "log").write_text("bob@example.com imap 203.0.113.9\n")
    assert run("--file", str(store), "replay", "log", "--fail-on", "refused").status == 0
    assert run("--file", "draft.toml", "replay", "log", "--fail-on", "refused").status == 1
    assert run("--file", "draft.toml", "replay", "log").status == 0


def test_a_pipe_is_a_log(store: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("alice@example.com pop 203.0.113.9\n" * 3)
    command = f"{sys.executable} -m mailpolicy --file {store} replay <(cat {tmp_path}/log)"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "alice@example.com\tpop\toutside-lan\t3\t3\t203.0.113.9\t-\n"


def test_progress_is_shown_on_a_terminal_and_taken_away(store: Path, tmp_path: Path) -> None:
    """stderr is a terminal, the log a pipe that takes its time."""
    feeding = f"while [ ! -e {tmp_path}/end ]; do echo alice@example.com pop 203.0.113.9; sleep 0.1; done"
    command = f"({feeding}) | {sys.executable} -m mailpolicy --file {store} replay - > {tmp_path}/out"
    child = pexpect.spawn("bash", ["-c", command], encoding="utf-8", timeout=30, env={**os.environ, "TERM": "xterm"})
    child.expect(r"\r[0-9]+ lines")
    (tmp_path / "end").touch()
    child.expect(r"\r +\r")
    child.expect("([0-9]+) of ([0-9]+) logins would be refused")
    assert child.match[1] == child.match[2]
    child.expect(pexpect.EOF)
    assert (tmp_path / "out").read_text().startswith("alice@example.com\tpop\toutside-lan\t")


@pytest.mark.parametrize(("term", "more"), [("dumb", ""), ("xterm", "--quiet")])
def test_no_progress_where_nobody_could_read_it(store: Path, term: str, more: str) -> None:
    command = f"(echo a@x.example; sleep 1.5; echo b) | {sys.executable} -m mailpolicy --file {store} replay - {more}"
    child = pexpect.spawn("bash", ["-c", command], encoding="utf-8", timeout=30, env={**os.environ, "TERM": term})
    child.expect(pexpect.EOF)
    assert " lines" not in child.before.replace("lines not understood", "")


def test_logins_over_a_service_that_is_not_governed_are_counted_and_not_judged(
    run: Run, store: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    sent = "client=pc.example[203.0.113.9], sasl_method=PLAIN, sasl_username"
    lines = [
        *(f"{SYSLOG} mx postfix/submission/smtpd[7]: 4B: {sent}={name}@example.com" for name in ("alice", "nobody")),
        f"{SYSLOG} mx dovecot: managesieve-login: Login: user=<alice@example.com>, method=PLAIN, rip=203.0.113.9",
    ]
    log.write_text("".join(f"{line}\n" for line in lines))
    for options, status in (((), 0), (("--fail-on", "refused"), 2)):
        result = run("--file", str(store), "replay", str(log), *options)
        assert (result.status, result.out) == (status, "")
        assert "only logins over services that are not governed, nothing was compared" in result.err
    assert "2 logins over smtp not judged, as the store does not govern it: mailpolicy server govern smtp" in result.err
    assert "1 login over sieve not judged" in result.err
    store.write_text(
        store.read_text()
        .replace("[server]\n", '[server]\ngovern = ["smtp"]\n')
        .replace("[defaults]\n", "[defaults]\nsmtp = true\n")
    )
    result = run("--file", str(store), "replay", str(log), "--fail-on", "refused")
    assert result.status == 1
    assert result.out == f"nobody@example.com\tsmtp\tunknown-account\t1\t1\t203.0.113.9\t{SYSLOG}\n"
    assert "1 of 2 logins would be refused" in result.err
    (answer,) = map(json.loads, run("--file", str(store), "replay", str(log), "--json").out.splitlines())
    assert answer["not_governed"] == {"sieve": 1}
