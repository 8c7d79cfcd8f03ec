"""check: its forms, its exit codes, its batch, and what it does not import."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mailpolicy.policy.question import question
from mailpolicy.policy.verdict import judge
from mailpolicy.store import locate
from mailpolicy.store.store import Store
from tests.helpers import EXAMPLE, MINIMAL, Run

FILE = ("--file", str(EXAMPLE))


@pytest.mark.parametrize(
    "alias",
    [
        ("pop", "pop3", "pop3s", "POP3"),
        ("imap", "imap4", "imaps"),
        ("outlook-connector", "connector", "mdaemon-connector"),
        ("multipop", "MultiPOP"),
    ],
)
def test_aliases_are_the_same_service(alias: tuple[str, ...], run: Run) -> None:
    answers = {
        json.loads(run(*FILE, "check", "alice@acme.example", name, "203.0.113.9", "--json").out)["protocol"]
        for name in alias
    }
    assert answers == {alias[0]}


def test_quiet_prints_nothing(run: Run) -> None:
    assert run(*FILE, "check", "alice@acme.example", "imap", "203.0.113.9", "--quiet") == (0, "", "")
    assert run(*FILE, "--quiet", "check", "alice@acme.example", "pop", "203.0.113.9") == (1, "", "")
    assert run(*FILE, "check", "nobody@acme.example", "pop", "203.0.113.9", "--quiet") == (1, "", "")
    assert run(*FILE, "--quiet", "check", "alice@acme.example", "pop", "nonsense").status == 2


def test_multipop_needs_no_ip_and_heeds_none(run: Run) -> None:
    for ip in ((), ("203.0.113.9",), ("::1",)):
        assert run(*FILE, "check", "jonas@acme.example", "multipop", *ip).out == "allow\n"
    assert run(*FILE, "check", "jonas@acme.example", "multipop", "203.0.113").status == 2


def test_a_store_with_an_error_gives_no_verdict(run: Run, store: Path) -> None:
    store.write_text(store.read_text() + "popp = true\n")
    for command in (
        ("check", "alice@example.com", "pop", "10.0.0.1"),
        ("check", "alice@example.com", "pop", "10.0.0.1", "--quiet"),
        ("check", "alice@example.com"),
    ):
        result = run("--file", str(store), *command)
        assert (result.status, result.out) == (3, "")
        assert f"{store}:21:1: error[MP005]: unknown key 'popp'" in result.err


BATCH = """\
# a comment
alice@acme.example pop 203.0.113.9

alice@acme.example\timap\t203.0.113.9
ALICE@acme.example POP3 10.20.0.1
   jonas@acme.example   multipop
jonas@acme.example multipop 1.2.3.4
jonas@acme.example multipop 1.2.3
alice@acme.example pop
alice@acme.example pop 1.2.3.4 extra
alice@acme.example ftp 1.2.3.4
alice@acme.example Sieve 1.2.3.4
nobody@acme.example imap ::ffff:10.20.0.1
alice pop 10.20.0.1
\xff\xfe pop 10.20.0.1
alice@acme.example pop ::ffff:10.20.0.1
alice@acme.example smtp 1.2.3.4
pedro@contractors.acme.example submission 10.20.1.1
lonely
"""
ANSWERS = """\
deny	outside-lan	alice@acme.example	pop	203.0.113.9
allow	-	alice@acme.example	imap	203.0.113.9
allow	-	ALICE@acme.example	POP3	10.20.0.1
allow	-	jonas@acme.example	multipop
allow	-	jonas@acme.example	multipop	1.2.3.4
error	8	jonas@acme.example: not an IP address: an IPv4 address has four parts from 0 to 255
error	9	alice@acme.example: missing IP address
error	10	alice@acme.example: expected three fields: ADDRESS PROTOCOL IP
error	11	alice@acme.example: unknown protocol: choose pop, imap, multipop, outlook-connector, smtp or sieve
error	12	alice@acme.example: sieve is not governed by the store, so there is no verdict on it
deny	unknown-account	nobody@acme.example	imap	::ffff:10.20.0.1
error	14	'alice' is not an address: it has no @; write name@domain
error	15	not an address
allow	-	alice@acme.example	pop	::ffff:10.20.0.1
allow	-	alice@acme.example	smtp	1.2.3.4
deny	service-off	pedro@contractors.acme.example	submission	10.20.1.1
error	19	'lonely' is not an address: it has no @; write name@domain
"""


def test_batch(program: Run, tmp_path: Path) -> None:
    questions = BATCH.encode("latin-1")
    (tmp_path / "questions").write_bytes(questions)
    for result in (
        program(*FILE, "check", "--batch", "-", stdin=questions),
        program(*FILE, "check", "--batch", "questions"),
    ):
        assert result.out == ANSWERS
        assert result.status == 2
        assert result.err == ""
    assert program(*FILE, "check", "--batch", "-", stdin="imani@acme.example pop 1.2.3.4").status == 0
    assert (
        program(
            *FILE, "check", "--batch", "-", stdin="imani@acme.example pop 1.2.3.4\nalice@acme.example pop 1.2.3.4\n"
        ).status
        == 1
    )
    assert program(*FILE, "check", "--batch", "-", stdin="") == (0, "", "")
    assert program(*FILE, "check", "--batch", "-", "--quiet", stdin=questions) == (2, ANSWERS, "")


def test_batch_as_objects(program: Run) -> None:
    result = program(*FILE, "check", "--batch", "-", "--json", stdin=BATCH.encode("latin-1"))
    objects = [json.loads(line) for line in result.out.splitlines()]
    assert result.status == 2
    assert [entry["schema"] for entry in objects] == [
        "mailpolicy.error/1" if line.startswith("error") else "mailpolicy.check/1" for line in ANSWERS.splitlines()
    ]
    assert objects[0] == json.loads(program(*FILE, "check", "alice@acme.example", "pop", "203.0.113.9", "--json").out)
    assert objects[5]["line"] == 8


def test_batch_knows_blanks_and_tabs(program: Run) -> None:
    odd = "alice@acme.example\u00a0pop\x0b10.0.0.1\n  imani@acme.example \t pop  1.2.3.4 \r\n\n# \u2028\n"
    for form in ((), ("--json",)):
        result = program(*FILE, "check", "--batch", "-", *form, stdin=odd)
        assert result.status == 2
        first, second = result.out.splitlines()
        assert "expected three fields: ADDRESS PROTOCOL IP" in first
        assert "imani@acme.example" in second


def test_a_batch_of_objects_does_not_look_through_the_text_again_and_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "questions").write_text(
        "".join(
            f"alice@acme.example pop 203.0.113.{n}\nscanner@acme.example pop ::{n}\nx@y imap ::{n}\n" for n in range(99)
        )
    )
    looked, entries = [], locate.entries

    def counted(text: str, *arguments: Any) -> Any:
        looked.append(text)
        return entries(text, *arguments)

    monkeypatch.setattr(locate, "entries", counted)
    result = run(*FILE, "check", "--batch", str(tmp_path / "questions"), "--json")
    assert len(looked) < 10
    told = [json.loads(line) for line in result.out.splitlines()]
    for one in told[:3]:
        alone = run(*FILE, "check", one["address"], one["protocol"], one["ip"], "--json").out
        assert one == json.loads(alone)


def test_batch_usage(run: Run, tmp_path: Path) -> None:
    assert run(*FILE, "check", "--batch", "missing").status == 2
    assert run(*FILE, "check", "alice@acme.example", "--batch", "-").status == 2
    (tmp_path / "questions").write_text("nonsense\n")
    assert (
        run("--file", "missing.toml", "check", "--batch", "questions").status == 3
    )  # in a batch the store comes first


def test_batch_survives_a_binary_file(program: Run, tmp_path: Path) -> None:
    (tmp_path / "questions").write_bytes(
        bytes(range(256)) * 2000 + b"x" * 300_000 + b"\nimani@acme.example pop 1.2.3.4\n"
    )
    result = program(*FILE, "check", "--batch", "questions")
    assert result.status == 2
    assert result.out.endswith("allow\t-\timani@acme.example\tpop\t1.2.3.4\n")
    assert all(line.startswith(("error\t", "allow\t")) for line in result.out.splitlines())


def test_batch_says_what_single_questions_say(program: Run) -> None:
    policy = Store.read(str(EXAMPLE)).policy()
    services = ("pop", "imap", "multipop", "outlook-connector")
    ips = (
        "10.20.3.4",
        "203.0.113.9",
        "::ffff:192.168.1.1",
        "fd00:ac3e::1",
        "2001:db8::1",
        "172.16.4.40",
        "172.16.4.41",
    )
    questions = [
        (address, service, ip) for address in [*policy.accounts, "x@acme.example"] for service in services for ip in ips
    ]
    result = program(*FILE, "check", "--batch", "-", stdin="\n".join(" ".join(entry) for entry in questions))
    for entry, line in zip(questions, result.out.splitlines(), strict=True):
        reasons = judge(policy, question(*entry)).reasons
        expected = ["deny", reasons[0].gate.value] if reasons else ["allow", "-"]
        assert line.split("\t") == [*expected, *entry]


def test_what_is_malformed_comes_before_what_is_not_governed(program: Run) -> None:
    single = program(*FILE, "check", "alice@acme.example", "sieve", "10.0.0.300")
    assert (single.status, "'10.0.0.300' is not an IP address" in single.err) == (2, True)
    batch = program(*FILE, "check", "--batch", "-", stdin="alice@acme.example sieve 10.0.0.300\n")
    assert (batch.status, "not an IP address" in batch.out) == (2, True)


def test_the_default_store_and_the_variable(program: Run, store: Path) -> None:
    env = {**os.environ, "MAILPOLICY_FILE": str(store)}
    assert program("check", "alice@example.com", "pop", "10.0.0.1", env=env).out == "allow\n"
    assert program("check", "alice@acme.example", "imap", "10.0.0.1", *FILE, env=env).out == "allow\n"
    if os.geteuid() == 0:
        store.write_text(MINIMAL.replace("alice@", "nobody-else-has-this@"))
        asked = ("check", "nobody-else-has-this@example.com", "pop", "10.0.0.1")
        assert program(*asked, env=env).status == 0
        sudo = program(*asked, env={**env, "SUDO_UID": "1000"})
        assert sudo.status in (1, 3)
        assert "MAILPOLICY_FILE is ignored under sudo; use --file PATH" in sudo.err
        sudo = program(
            "check", "a@x", "pop", "::1", *FILE, env={**os.environ, "SUDO_UID": "1", "MAILPOLICY_NO_CACHE": "1"}
        )
        assert "MAILPOLICY_NO_CACHE is ignored under sudo; use --no-cache" in sudo.err
